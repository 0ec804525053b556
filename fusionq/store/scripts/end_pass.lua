-- The pass is over. ARGV: the holder's token. Returns 1 where another pass was asked for meanwhile: the lock stays.
if redis.call('GET', K.pass_lock) ~= ARGV[1] then
  return 0
end
if redis.call('DEL', K.again) == 1 then
  return 1
end
redis.call('DEL', K.pass_lock)
return 0
