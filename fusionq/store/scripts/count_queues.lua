-- Every queue that ever held a job: its name, how many of its jobs are queued, how many are assigned or running, …
local pending, running = {}, {}
for _, lane in ipairs(redis.call('SMEMBERS', K.lanes)) do
  local queue = cjson.decode(lane)[1]
  pending[queue] = (pending[queue] or 0) + redis.call('ZCARD', K.pending(lane))
end
for _, list in ipairs({K.assigned, K.leases}) do
  for _, id in ipairs(redis.call('ZRANGE', list, 0, -1)) do
    local queue = get(id, 'queue')
    running[queue] = (running[queue] or 0) + 1
  end
end
local counts = {}
for _, queue in ipairs(redis.call('SMEMBERS', K.queues)) do
  for _, value in ipairs({queue, pending[queue] or 0, running[queue] or 0}) do
    counts[#counts + 1] = value
  end
end
return counts
