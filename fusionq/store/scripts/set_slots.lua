-- Asks a worker for another number of slots. ARGV: name, number, prefix of the workers' channels.
-- Returns 1, or 0 where no such worker lives. It says with its next heartbeat how many it has.
local name, slots = ARGV[1], ARGV[2]
local token = redis.call('HGET', K.worker(name), 'token')
local alive_until = redis.call('ZSCORE', K.workers, name)
if not token or not alive_until or tonumber(alive_until) < now_ms() then
  return 0
end
redis.call('HSET', K.worker(name), 'slots_wanted', slots)
redis.call('PUBLISH', ARGV[3] .. name, 'worker slots=' .. slots .. ' ' .. token)
return 1
