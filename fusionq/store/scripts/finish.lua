-- A running job ends. ARGV: id, attempt, outcome, reason, result, class of failure. Returns 0 where the attempt is not the job's any more.
local id = ARGV[1]
if not holds(id, ARGV[2]) or get(id, 'status') ~= 'running' then
  return 0
end
return finish(id, ARGV[3], ARGV[4], ARGV[5], ARGV[6]) and 1 or 0
