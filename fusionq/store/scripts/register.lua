-- A worker says that it lives. ARGV: name, its token, ms that the heartbeat holds, ms that its record stays, field, value, …
-- Returns 0 where another living worker has the name.
local name, token = ARGV[1], ARGV[2]
local owner = redis.call('HGET', K.worker(name), 'token')
if owner and owner ~= token then
  if is_alive(name) then
    return 0
  end
  redis.call('DEL', K.worker(name))  -- what was asked of an earlier life does not bind this one
end
redis.call('ZADD', K.workers, now_ms() + tonumber(ARGV[3]), name)
local fields = {}
for i = 5, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
redis.call('HSET', K.worker(name), 'token', token, 'seen_at', now_ms(), unpack(fields))
-- It may not have heard yet that it is to take nothing more.
if (redis.call('HGET', K.worker(name), 'stop') or '') ~= ''
  or redis.call('HEXISTS', K.worker(name), 'quarantine') == 1 then
  redis.call('HSET', K.worker(name), 'accepting', 0)
end
redis.call('PEXPIRE', K.worker(name), ARGV[4])
return 1
