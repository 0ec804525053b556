-- A lease that ran out is a lost attempt. ARGV: id, attempt, delay ms, most losses allowed, reason.
-- Checked again here: the worker may have renewed since. Returns 'requeued', 'failed' or ''.
local id = ARGV[1]
local lease = redis.call('ZSCORE', K.leases, id)
if not lease or tonumber(lease) > now_ms() or not holds(id, ARGV[2]) or get(id, 'status') ~= 'running' then
  return ''
end
if is_being_cancelled(id) then
  return finish(id, 'cancelled', 'cancelled by the user; its worker was lost', '') and 'failed' or ''
end
local losses = redis.call('HINCRBY', K.job(id), 'losses', 1)
if losses > tonumber(ARGV[4]) then
  return finish(id, 'failed', ARGV[5] .. ', ' .. losses .. ' times', '') and 'failed' or ''
end
requeue(id, ARGV[5], now_ms() + tonumber(ARGV[3]))
return 'requeued'
