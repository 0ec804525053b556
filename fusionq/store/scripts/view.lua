-- All that the planner looks at, as JSON: what living workers have and what of it is free; the length of each lane,
-- and as many of its first jobs as there are free slots for them.
local free = {}  -- slots, by queue

local function note_slots(queues, slots)
  for _, queue in ipairs(cjson.decode(queues)) do
    free[queue] = (free[queue] or 0) + slots
  end
end

-- Who holds which of its GPUs matters only as long as it has a free slot. nil where its record is gone.
local function look_at_worker(name)
  local has = redis.call('HMGET', K.worker(name), 'slots', 'accepting', 'queues', 'gpus')
  if has[1] then
    local slots = math.max(0, tonumber(has[1]) - redis.call('SCARD', K.worker_jobs(name)))
    local is_open = has[2] == '1' and slots > 0
    local queues = has[3] or '[]'
    if is_open then
      note_slots(queues, slots)
    end
    return {name, has[2] == '1', queues, has[4] or '[]', slots, is_open and redis.call('HGETALL', K.worker_gpus(name))}
  end
end

local function look_at_lane(lane)
  local queue = cjson.decode(lane)[1]
  local most = redis.call('HEXISTS', K.paused, queue) == 1 and 0 or free[queue] or 0
  local jobs = most > 0 and redis.call('ZRANGE', K.pending(lane), 0, most - 1, 'WITHSCORES')
  return {lane, redis.call('ZCARD', K.pending(lane)), jobs}
end

local workers, lanes = {}, {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', K.workers, now_ms(), '+inf')) do
  workers[#workers + 1] = look_at_worker(name)
end
for _, lane in ipairs(redis.call('SMEMBERS', K.lanes)) do
  lanes[#lanes + 1] = look_at_lane(lane)
end
return cjson.encode({
  workers = workers, lanes = lanes, usage = redis.call('HGETALL', K.usage), paused = redis.call('HGETALL', K.paused),
  order = redis.call('HGET', K.policy, 'order'),
})
