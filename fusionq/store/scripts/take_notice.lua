-- Takes the notice that has been due longest, for some time. ARGV: how long it is kept from others, in ms.
-- Returns it and how often it was taken before, or {} where none is due.
local time = redis.call('TIME')
local now = string.format('%.3f', time[1] * 1000 + time[2] / 1000)
local notice = redis.call('ZRANGEBYSCORE', K.notices, '-inf', now, 'LIMIT', 0, 1)[1]
if not notice then
  return {}
end
redis.call('ZADD', K.notices, now_ms() + tonumber(ARGV[1]), notice)
return {notice, redis.call('HINCRBY', K.notice_tries, notice, 1) - 1}
