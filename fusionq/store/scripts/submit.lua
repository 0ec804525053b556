-- A new job. ARGV: id, spec, token, then field, value, … of the record. Returns 0 where the id is taken,
-- -1 where a blob that the record points to is gone.
local id, token = ARGV[1], ARGV[3]
if redis.call('EXISTS', K.job(id)) == 1 then
  -- The same call once more, after its first answer was lost on the way: one submission, one job.
  return get(id, 'token') == token and tonumber(get(id, 'sequence')) or 0
end
local fields = {}
for i = 4, #ARGV do
  fields[#fields + 1] = ARGV[i]
end
if not use_blobs(fields, id) then
  return -1
end
local sequence = redis.call('INCR', K.sequence)
redis.call('SET', K.spec(id), ARGV[2])
set(id, 'status', 'queued', 'attempt', 0, 'losses', 0, 'sequence', sequence, 'submitted_at', now_ms(),
  'token', token, unpack(fields))
redis.call('ZADD', K.jobs, sequence, id)
redis.call('ZADD', K.job_ids, 0, id)
redis.call('HSET', K.names, get(id, 'name'), id)
redis.call('SADD', K.queues, get(id, 'queue'))
enqueue(id)
redis.call('XADD', K.events, 'MAXLEN', '~', 10000, '*', 'job', id, 'status', 'queued', 'attempt', 0, 'reason', '')
return sequence
