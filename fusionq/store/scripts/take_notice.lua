-- Takes the notice that has been due longest, for some time. ARGV: how long it is kept from others, in ms.
-- Returns it and how often it was taken before, or {} where none is due.
local notice = redis.call('ZRANGEBYSCORE', K.notices, '-inf', now_ms(), 'LIMIT', 0, 1)[1]
if not notice then
  return {}
end
redis.call('ZADD', K.notices, now_ms() + tonumber(ARGV[1]), notice)
return {notice, redis.call('HINCRBY', K.notice_tries, notice, 1) - 1}
