-- Jobs whose time has come go on; assigned jobs that nobody started go back to their queue; jobs that waited for
-- a worker for longer than they may have run out of time. Returns how many moved.
local MOST = 1000

local function due(list)
  return redis.call('ZRANGEBYSCORE', list, '-inf', now_ms(), 'LIMIT', 0, MOST)
end

local moved = 0
for _, id in ipairs(due(K.waiting)) do
  redis.call('ZREM', K.waiting, id)
  if get(id, 'status') == 'waiting' then
    admit(id, '')
    moved = moved + 1
  end
end
for _, id in ipairs(due(K.assigned)) do
  redis.call('ZREM', K.assigned, id)
  if get(id, 'status') == 'assigned' then
    requeue(id, because('not_started'), 0)
    moved = moved + 1
  end
end
for _, id in ipairs(due(K.overdue)) do
  if get(id, 'status') == 'queued' then
    finish(id, 'timed_out', because('no_worker', tonumber(get(id, 'wait_timeout'))), '')
    moved = moved + 1
  end
end
return moved
