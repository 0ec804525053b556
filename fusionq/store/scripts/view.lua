-- All that the planner looks at, as JSON: what living workers have and what of it is free, and as many of the first
-- jobs of each lane as there are free slots for them. Of lanes that differ in their user alone, the best are enough:
-- one for each free slot.
local free = {}  -- slots, by queue
local usage = {}
local is_fair = redis.call('HGET', K.policy, 'order') ~= 'fifo'

local function note_slots(queues, slots)
  for _, queue in ipairs(cjson.decode(queues)) do
    free[queue] = (free[queue] or 0) + slots
  end
end

-- Who holds which of its GPUs matters only as long as it has a free slot. nil where its record is gone.
local function look_at_worker(name)
  local has = redis.call('HMGET', K.worker(name), 'slots', 'accepting', 'queues', 'gpus', 'labels', 'cpus', 'memory',
    'problem')
  if has[1] then
    local slots = math.max(0, tonumber(has[1]) - redis.call('SCARD', K.worker_jobs(name)))
    local is_open = has[2] == '1' and slots > 0
    local queues = has[3] or '[]'
    if is_open then
      note_slots(queues, slots)
    end
    local held = is_open and redis.call('HGETALL', K.worker_gpus(name))
    return {name, has[2] == '1', queues, has[4] or '[]', slots, held, has[1], {has[5], has[6], has[7], has[8]}}
  end
end

-- Where a lane stands among those of its queue: the priority of its first job, how many jobs its user has, its place.
local function standing_of(lane, user)
  local place = tonumber(redis.call('ZRANGE', K.pending(lane), 0, 0, 'WITHSCORES')[2])
  return {lane, math.floor(place / SUBMISSIONS), is_fair and tonumber(usage[user] or 0) or 0, place}
end

local function goes_before(a, b)
  for i = 2, 4 do
    if a[i] ~= b[i] then
      return a[i] < b[i]
    end
  end
  return false
end

-- The lanes for which there is a slot, by what their jobs need.
local function open_lanes()
  local kinds = {}
  for _, lane in ipairs(redis.call('SMEMBERS', K.lanes)) do
    local what = cjson.decode(lane)
    if free[what[1]] then
      local kind = table.concat({what[1], what[3], what[4], what[5] or ''}, ' ')
      kinds[kind] = kinds[kind] or {most = free[what[1]]}
      table.insert(kinds[kind], standing_of(lane, what[2]))
    end
  end
  return kinds
end

local function look_at_lane(lane, most)
  local jobs = redis.call('ZRANGE', K.pending(lane), 0, most - 1, 'WITHSCORES')
  local queued_at = jobs[1] and tonumber(get(jobs[1], 'queued_at') or '')
  return {lane, jobs, queued_at and now_ms() - queued_at or 0}
end

local workers, lanes = {}, {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', K.workers, now_ms(), '+inf')) do
  workers[#workers + 1] = look_at_worker(name)
end
local paused, active = redis.call('HGETALL', K.paused), redis.call('HGETALL', K.usage)
for i = 1, #paused, 2 do
  free[paused[i]] = nil
end
for i = 1, #active, 2 do
  usage[active[i]] = active[i + 1]
end
for _, kind in pairs(open_lanes()) do
  table.sort(kind, goes_before)
  for i = 1, math.min(kind.most, #kind) do
    lanes[#lanes + 1] = look_at_lane(kind[i][1], kind.most)
  end
end
return cjson.encode({
  workers = workers, lanes = lanes, usage = active, paused = paused, is_fair = is_fair,
  patience_s = redis.call('HGET', K.policy, 'patience_s'),
})
