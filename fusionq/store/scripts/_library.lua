-- What the scripts share. K (keys), LEGAL (moves) and numbers are generated in front of it from Python.

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function get(id, field)
  return redis.call('HGET', K.job(id), field)
end

local function set(id, ...)
  redis.call('HSET', K.job(id), ...)
end

-- Why something became of a job: a code with its arguments, of which Python makes a sentence (script_reasons.py).
local function because(code, ...)
  return cjson.encode({code, ...})
end

-- Whether the spec of a job is still the one that somebody read, and made another of.
local function has_spec(id, read)
  return redis.call('GET', K.spec(id)) == read
end

-- The job has another spec from now on, and the fields of its record (field, value, …) that differ with it.
local function replace_spec(id, spec, ...)
  redis.call('SET', K.spec(id), spec)
  if select('#', ...) > 0 then
    set(id, ...)
  end
end

-- The sweep that a job is a trial of, or nil.
local function sweep_of(id)
  local sweep = get(id, 'sweep')
  return sweep and sweep ~= '' and sweep or nil
end

-- Jobs are counted by their state in one word, the outcome once there is one, else the status: all of them, and the
-- trials of each sweep. A job that is new was '', and one that is removed is ''.
local function count_at(key, was, is)
  if was ~= '' then
    redis.call('HINCRBY', key, was, -1)
  end
  if is ~= '' then
    redis.call('HINCRBY', key, is, 1)
  end
end

local function recount(id, was, is)
  count_at(K.tally, was, is)
  local sweep = sweep_of(id)
  if sweep then
    count_at(K.sweep(sweep), was, is)
  end
end

-- A queue is there as long as it has a job that has not ended.
local function count_in_queue(queue, by)
  if redis.call('HINCRBY', K.queue_jobs, queue, by) <= 0 then
    redis.call('HDEL', K.queue_jobs, queue)
  end
end

local function recount_queue(id, was, is)
  local was_open, is_open = was ~= '' and was ~= 'finished', is ~= 'finished'
  if was_open ~= is_open then
    count_in_queue(get(id, 'queue') or '', is_open and 1 or -1)
  end
end

-- A job whose model another one takes that has not ended must stay.
local function note_taker(id, to)
  local source = get(id, 'model_from')
  if source and source ~= '' then
    redis.call(to == 'finished' and 'SREM' or 'SADD', K.takers(source), id)
  end
end

-- The one door through which a status changes. Returns false where the move is not legal.
-- An outcome is given where the job ends, and a new job comes from nowhere: its status is ''.
local function move(id, to, reason, outcome)
  local from = get(id, 'status') or ''
  if not LEGAL[from .. '>' .. to] then
    return false
  end
  recount(id, from == 'finished' and get(id, 'outcome') or from, outcome or to)
  recount_queue(id, from, to)
  set(id, 'status', to, 'outcome', outcome or '', 'reason', reason)
  note_taker(id, to)
  redis.call('XADD', K.events, 'MAXLEN', '~', 10000, '*',
    'job', id, 'status', to, 'outcome', outcome or '', 'attempt', get(id, 'attempt'), 'reason', reason)
  return true
end

-- Fencing: only the attempt that the record names may change it.
local function holds(id, attempt)
  return get(id, 'attempt') == tostring(attempt)
end

-- A Redis that crashed may have forgotten its last second, and give the number of an attempt again, to another
-- worker: then the number alone does not tell whose it is. '' is anybody.
local function is_of(id, worker)
  return worker == '' or get(id, 'worker') == worker
end

-- What a record (field, value, …) points to stays from now on for as long as `user`, a job or a sweep, does.
-- Returns false, with nothing changed, where some of it is gone.
local function use_blobs(fields, user)
  local digests = {}
  for i = 1, #fields, 2 do
    if (fields[i] == 'code' or fields[i] == 'diff') and fields[i + 1] ~= '' then
      digests[#digests + 1] = fields[i + 1]
    end
  end
  for _, digest in ipairs(digests) do
    if redis.call('EXISTS', K.blob(digest)) == 0 then
      return false
    end
  end
  for _, digest in ipairs(digests) do
    redis.call('PERSIST', K.blob(digest))
    redis.call('SADD', K.blob_users(digest), user)
  end
  return true
end

-- A user is gone. Returns whether it was the last one: then the blob is gone too.
local function release_blob(digest, user)
  if redis.call('SREM', K.blob_users(digest), user) == 0 or redis.call('EXISTS', K.blob_users(digest)) == 1 then
    return false
  end
  redis.call('DEL', K.blob(digest))
  return true
end
