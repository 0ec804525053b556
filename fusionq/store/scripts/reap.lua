-- A lease that ran out is a lost attempt. ARGV: id, attempt, delay ms or '' where it is not tried again, reason,
-- class of the failure, and the one it counts as.
-- Checked again here: the worker may have renewed since. Returns 'requeued', 'failed' or ''.
local id = ARGV[1]
local lease = redis.call('ZSCORE', K.leases, id)
if not lease or tonumber(lease) > now_ms() or not holds(id, ARGV[2]) or get(id, 'status') ~= 'running' then
  return ''
end
if is_being_cancelled(id) then
  return finish(id, 'cancelled', because('cancelled_and_lost'), '') and 'failed' or ''
end
-- Its worker may be dead without our knowing, for a heartbeat can outlast a lease: it gets nothing before the next one.
local worker = get(id, 'worker')
if redis.call('EXISTS', K.worker(worker)) == 1 then
  redis.call('HSET', K.worker(worker), 'accepting', 0)
end
count_loss(id, ARGV[5], ARGV[6])
if ARGV[3] == '' then
  return finish(id, 'failed', ARGV[4], '', ARGV[5]) and 'failed' or ''
end
requeue(id, ARGV[4], now_ms() + tonumber(ARGV[3]))
return 'requeued'
