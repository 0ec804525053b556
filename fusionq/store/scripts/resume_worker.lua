-- Ends the quarantine of a worker, which finds out at its next beat. ARGV: name.
-- Returns 1, 0 where it was in none, or -1 where no such worker lives.
if not is_alive(ARGV[1]) then
  return -1
end
return redis.call('HDEL', K.worker(ARGV[1]), 'quarantine')
