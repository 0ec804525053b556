-- What the workers of a job tell each other. ARGV: id, attempt, field, value. Returns 0 where the attempt is over.
if not holds(ARGV[1], ARGV[2]) or not is_active(ARGV[1]) then
  return 0
end
redis.call('HSET', K.gang(ARGV[1]), ARGV[3], ARGV[4])
return 1
