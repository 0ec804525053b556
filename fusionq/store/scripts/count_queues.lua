-- Every queue with a job that has not ended, a worker or a pause: its name, how many of its jobs are queued, how many are assigned or running, and
-- for how many ms the one has been queued that waits longest, …
local pending, running, oldest = {}, {}, {}

-- Of one priority the first is the oldest, so the first of each is enough.
local function oldest_in(lane)
  local most, place = 0, '-inf'
  while place do
    local first = redis.call('ZRANGEBYSCORE', K.pending(lane), place, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    place = first[1] and string.format('%d', (math.floor(first[2] / SUBMISSIONS) + 1) * SUBMISSIONS)
    most = math.max(most, first[1] and now_ms() - tonumber(get(first[1], 'queued_at') or now_ms()) or 0)
  end
  return most
end

for _, lane in ipairs(redis.call('SMEMBERS', K.lanes)) do
  local queue = cjson.decode(lane)[1]
  pending[queue] = (pending[queue] or 0) + redis.call('ZCARD', K.pending(lane))
  oldest[queue] = math.max(oldest[queue] or 0, oldest_in(lane))
end
for _, list in ipairs({K.assigned, K.leases}) do
  for _, id in ipairs(redis.call('ZRANGE', list, 0, -1)) do
    local queue = get(id, 'queue')
    running[queue] = (running[queue] or 0) + 1
  end
end
local counts = {}
local names, is_known = {}, {}

local function note(queues)
  for _, queue in ipairs(queues) do
    if not is_known[queue] then
      is_known[queue] = true
      names[#names + 1] = queue
    end
  end
end

note(redis.call('HKEYS', K.queue_jobs))
note(redis.call('HKEYS', K.paused))
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', K.workers, now_ms(), '+inf')) do
  note(cjson.decode(redis.call('HGET', K.worker(worker), 'queues') or '[]'))
end
for _, queue in ipairs(names) do
  for _, value in ipairs({queue, pending[queue] or 0, running[queue] or 0, oldest[queue] or 0}) do
    counts[#counts + 1] = value
  end
end
return counts
