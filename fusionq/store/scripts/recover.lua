-- Puts a job back that Redis has lost. ARGV: id, spec, outcome ('' where it is to go on), reason, ms until it may start,
-- then field, value, … of the record, without a status.
-- Returns 1, 0 where the job is there, -1 where a blob that the record points to is gone.
local id, outcome, reason = ARGV[1], ARGV[3], ARGV[4]
if get(id, 'status') or is_sweep(id) then
  return 0
end
local fields = {}
for i = 6, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
if not use_blobs(fields, id) then
  return -1
end
redis.call('DEL', K.job(id))  -- notes of a worker that did not know yet
local sequence = redis.call('INCR', K.sequence)
redis.call('SET', K.spec(id), ARGV[2])
set(id, 'sequence', sequence, unpack(fields))
add_row(id, sequence)
list(id, get(id, 'name'), sequence)
if outcome ~= '' then
  move(id, 'finished', reason, outcome)
  if (tonumber(get(id, 'finished_at') or '') or 0) == 0 then
    set(id, 'finished_at', now_ms())  -- it ends by this
  end
else
  set(id, 'due_at', now_ms() + tonumber(ARGV[5]))
  note_same(K.job(id), id)
  admit(id, reason)
end
return 1
