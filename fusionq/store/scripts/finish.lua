-- A running job ends. ARGV: id, attempt, outcome, reason, result, class of failure. Returns 0 where the attempt is not the job's any more.
local id = ARGV[1]
if not holds(id, ARGV[2]) or get(id, 'status') ~= 'running' then
  return 0
end
local worker = get(id, 'worker')
if ARGV[3] == 'succeeded' and redis.call('EXISTS', K.worker(worker)) == 1 then
  redis.call('HSET', K.worker(worker), 'succeeded_at', now_ms())
end
return finish(id, ARGV[3], ARGV[4], ARGV[5], ARGV[6]) and 1 or 0
