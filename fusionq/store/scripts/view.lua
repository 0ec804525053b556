-- All that the planner looks at, as JSON: living workers with what they have and hold, and of each lane its length
-- and as many of its first jobs as there are free slots for them.
local free = {}  -- slots, by queue

local function look_at_worker(name)
  local fields, has = redis.call('HGETALL', K.worker(name)), {}
  for i = 1, #fields, 2 do
    has[fields[i]] = fields[i + 1]
  end
  local jobs = redis.call('SMEMBERS', K.worker_jobs(name))
  if has.accepting == '1' then
    for _, queue in ipairs(cjson.decode(has.queues or '[]')) do
      free[queue] = (free[queue] or 0) + math.max(0, tonumber(has.slots) - #jobs)
    end
  end
  return {name = name, fields = fields, jobs = jobs, gpus = redis.call('HGETALL', K.worker_gpus(name))}
end

local function look_at_lane(lane)
  local queue = cjson.decode(lane)[1]
  local most = redis.call('HEXISTS', K.paused, queue) == 1 and 0 or free[queue] or 0
  local jobs = most > 0 and redis.call('ZRANGE', K.pending(lane), 0, most - 1, 'WITHSCORES') or {}
  return {lane = lane, jobs = jobs, length = redis.call('ZCARD', K.pending(lane))}
end

local workers, lanes = {}, {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', K.workers, now_ms(), '+inf')) do
  if redis.call('EXISTS', K.worker(name)) == 1 then
    workers[#workers + 1] = look_at_worker(name)
  end
end
for _, lane in ipairs(redis.call('SMEMBERS', K.lanes)) do
  lanes[#lanes + 1] = look_at_lane(lane)
end
return cjson.encode({
  workers = workers, lanes = lanes, usage = redis.call('HGETALL', K.usage), paused = redis.call('HGETALL', K.paused),
  order = redis.call('HGET', K.policy, 'order') or '',
})
