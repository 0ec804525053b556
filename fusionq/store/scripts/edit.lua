-- Another spec for a job that was never started. ARGV: id, its spec as it was read, the new one, then field, value, … of
-- the record. Returns 'edited', or why not: 'missing', 'finished', 'started', 'assigned' (it is about to start),
-- 'changed' (its spec is not the one that was read).
local id = ARGV[1]
local status = get(id, 'status')
if not status or status == 'finished' then
  return status or 'missing'
end
if status == 'running' or (get(id, 'run_dir') or '') ~= '' or (tonumber(get(id, 'started_at') or '') or 0) > 0 then
  return 'started'
end
if status == 'assigned' then
  return 'assigned'
end
if not has_spec(id, ARGV[2]) then
  return 'changed'
end

local was = redis.call('HMGET', K.job(id), 'queue', 'name', 'wait_timeout', 'queued_at')
local queue, name, wait_timeout, queued_at = was[1] or '', was[2] or '', was[3] or '', was[4]
release(id)
wait(id, because('edited'))
forget_same(K.job(id), id)
replace_spec(id, ARGV[3], unpack(ARGV, 4))
note_same(K.job(id), id)
if get(id, 'queue') ~= queue then
  count_in_queue(queue, -1)
  count_in_queue(get(id, 'queue'), 1)
end
if get(id, 'name') ~= name then
  if redis.call('HGET', K.names, name) == id then
    redis.call('HDEL', K.names, name)
  end
  redis.call('HSET', K.names, get(id, 'name'), id)
end
if (get(id, 'wait_timeout') or '') ~= wait_timeout then
  redis.call('ZREM', K.overdue, id)  -- the new one counts from now
end

-- Not `enter`: of one that is past the jobs before it, some may be removed by now, and it need not wait for them again.
admit(id, '')
if get(id, 'status') == 'waiting' then
  redis.call('ZREM', K.overdue, id)
  pass_turn(id)
elseif status == 'queued' then
  set(id, 'queued_at', queued_at)  -- it has waited since then, in whichever lane
end
return 'edited'
