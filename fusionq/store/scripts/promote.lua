-- Jobs whose time has come go to their queue; assigned jobs that nobody started go back to theirs.
-- Returns how many moved.
local moved = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.waiting, '-inf', now_ms(), 'LIMIT', 0, 1000)) do
  redis.call('ZREM', K.waiting, id)
  if move(id, 'queued', '') then
    enqueue(id)
    moved = moved + 1
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', K.assigned, '-inf', now_ms(), 'LIMIT', 0, 1000)) do
  redis.call('ZREM', K.assigned, id)
  if get(id, 'status') == 'assigned' and requeue(id, 'its worker did not start it in time', 0) then
    moved = moved + 1
  end
end
return moved
