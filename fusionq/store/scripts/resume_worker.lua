-- Ends the quarantine of a worker, which finds out at its next beat. ARGV: name.
-- Returns 1, 0 where it was in none, or -1 where no such worker lives.
local alive_until = redis.call('ZSCORE', K.workers, ARGV[1])
if not alive_until or tonumber(alive_until) < now_ms() then
  return -1
end
return redis.call('HDEL', K.worker(ARGV[1]), 'quarantine')
