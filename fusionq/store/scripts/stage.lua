-- Trials of a sweep that is being submitted, unseen and with an expiry until the sweep is real. From then on nothing
-- of them is touched, although the same call may come once more after its answer was lost.
-- ARGV: sweep, token, ms until they expire, then of each trial: id, spec, number of fields, field, value, …
local sweep, token, expiry = ARGV[1], ARGV[2], ARGV[3]
if is_sweep(sweep) or redis.call('GET', K.staging(sweep)) ~= token then
  return 0
end
local i = 4
while i <= #ARGV do
  local id, last = ARGV[i], i + 2 + 2 * tonumber(ARGV[i + 2])
  set(id, 'sweep', sweep, unpack(ARGV, i + 3, last))
  redis.call('PEXPIRE', K.job(id), expiry)
  redis.call('SET', K.spec(id), ARGV[i + 1], 'PX', expiry)
  i = last + 1
end
return 1
