-- Running jobs whose lease ran out: id, attempt, id, …
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.leases, '-inf', now_ms(), 'LIMIT', 0, 1000)) do
  if get(id, 'status') == 'running' then
    found[#found + 1] = id
    found[#found + 1] = get(id, 'attempt')
  else
    redis.call('ZREM', K.leases, id)
  end
end
return found
