-- A new job. ARGV: id, spec, token, 1 where it must be the only one of its kind, then field, value, … of the record.
-- Returns the id of the job that is there now, 0 where the id is taken, -1 where a blob that the record points to is gone.
local id, token = ARGV[1], ARGV[3]
if redis.call('EXISTS', K.job(id), K.sweep(id)) > 0 then
  -- The same call once more, after its first answer was lost on the way: one submission, one job.
  return get(id, 'token') == token and id or 0
end
local fields = {}
for i = 5, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
local twin = ARGV[4] == '1' and same_as(fields)
if twin then
  return twin
end
if not use_blobs(fields, id) then
  return -1
end
local sequence = redis.call('INCR', K.sequence)
redis.call('SET', K.spec(id), ARGV[2])
set(id, 'attempt', 0, 'losses', 0, 'sequence', sequence, 'submitted_at', now_ms(), 'token', token, unpack(fields))
add_row(id, sequence)
list(id, get(id, 'name'), sequence)
enter(id)
return id
