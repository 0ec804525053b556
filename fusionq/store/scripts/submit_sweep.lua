-- The trials that were staged become real, all of them or none.
-- ARGV: sweep, base spec, token, number of trials, 1 where it must be the only one of its kind, then field, value, …
-- of the sweep's record.
-- Returns the id of the sweep that is there now, 0 where the id is taken, or what was staged is gone,
-- -1 where a blob that the record points to is gone.
local sweep, token, total = ARGV[1], ARGV[3], tonumber(ARGV[4])
if redis.call('EXISTS', K.sweep(sweep)) == 1 then
  -- The same call once more, after its first answer was lost on the way.
  return redis.call('HGET', K.sweep(sweep), 'token') == token
    and sweep or 0
end
if redis.call('EXISTS', K.job(sweep)) == 1 or redis.call('GET', K.staging(sweep)) ~= token then
  return 0
end
for k = 1, total do
  if redis.call('EXISTS', K.job(sweep .. '-' .. k), K.spec(sweep .. '-' .. k)) < 2 then
    return 0
  end
end
redis.call('DEL', K.staging(sweep))
local fields = {}
for i = 6, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
local twin = ARGV[5] == '1' and same_as(fields)
if twin then
  return twin  -- what was staged expires
end
-- The sweep stands for all its trials, which run the same code.
if not use_blobs(fields, sweep) then
  return -1
end
local sequence = redis.call('INCRBY', K.sequence, total + 1) - total
redis.call('SET', K.spec(sweep), ARGV[2])
redis.call('HSET', K.sweep(sweep), 'total', total, 'sequence', sequence, 'submitted_at', now_ms(),
  'token', token, unpack(fields))
add_row(sweep, sequence)
note_same(K.sweep(sweep), sweep)
for k = 1, total do
  local id = sweep .. '-' .. k
  redis.call('PERSIST', K.job(id))
  redis.call('PERSIST', K.spec(id))
  set(id, 'attempt', 0, 'losses', 0, 'sequence', sequence + k, 'submitted_at', now_ms())
  list(id, get(id, 'name'), sequence + k)
  enter(id)
end
-- Last: trials mostly have the name of their sweep, and it means them all.
redis.call('HSET', K.names, redis.call('HGET', K.sweep(sweep), 'name'), sweep)
return sweep
