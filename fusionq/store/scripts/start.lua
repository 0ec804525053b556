-- An assigned job begins to run: the first act of the message that carries it. ARGV: id, attempt, lease ms, run folder,
-- name of the worker.
-- Returns 1, or 0 where the message is doubled, late or stale.
local id, attempt = ARGV[1], ARGV[2]
if not holds(id, attempt) or not is_of(id, ARGV[5]) or not move(id, 'running', '') then
  return 0
end
redis.call('ZREM', K.assigned, id)
redis.call('ZREM', K.overdue, id)
redis.call('ZADD', K.leases, now_ms() + tonumber(ARGV[3]), id)
if (tonumber(get(id, 'started_at') or '') or 0) == 0 then
  note_event(K.job(id), id, 'started')
end
set(id, 'started_at', now_ms(), 'run_dir', ARGV[4], 'progress', '')
if sweep_of(id) then
  redis.call('HSETNX', K.sweep(sweep_of(id)), 'started_at', now_ms())
end
return 1
