-- A worker leaves. ARGV: name, its token.
if redis.call('HGET', K.worker(ARGV[1]), 'token') ~= ARGV[2] then
  return 0
end
redis.call('ZREM', K.workers, ARGV[1])
redis.call('DEL', K.worker(ARGV[1]))
return 1
