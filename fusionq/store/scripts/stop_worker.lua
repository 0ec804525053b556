-- Asks a worker to leave. ARGV: name, word, prefix of the workers' channels.
-- Returns 1, or 0 where no such worker lives. It gets no job any more, and those that it has not started go back.
local name, word = ARGV[1], ARGV[2]
local token = redis.call('HGET', K.worker(name), 'token')
local alive_until = redis.call('ZSCORE', K.workers, name)
if not token or not alive_until or tonumber(alive_until) < now_ms() then
  return 0
end
if WORKER_STOP_RANK[word] > WORKER_STOP_RANK[redis.call('HGET', K.worker(name), 'stop') or ''] then
  redis.call('HSET', K.worker(name), 'stop', word)
end
redis.call('HSET', K.worker(name), 'accepting', 0)
for _, id in ipairs(redis.call('SMEMBERS', K.worker_jobs(name))) do
  if get(id, 'status') == 'assigned' then
    requeue(id, 'its worker was told to stop', 0)
  end
end
redis.call('PUBLISH', ARGV[3] .. name, 'worker ' .. word .. ' ' .. token)
return 1
