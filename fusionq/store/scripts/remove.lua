-- Takes away all that Redis holds of a job that has ended, and with its last trial the sweep.
-- ARGV: id, the key of its result in Celery's backend, 1 to do nothing but say what would become of it.
-- Returns {'removed', digest, …} with the blobs that went with it, or why it stays: 'missing', 'active', 'parent'
-- (another waits for it), 'source' (another will take its model), 'sweep' (its sweep goes on).
local id, result_key = ARGV[1], ARGV[2]

local function why_it_stays()
  local status = get(id, 'status')
  if status ~= 'finished' then
    return status and 'active' or 'missing'
  end
  if redis.call('EXISTS', K.takers(id)) == 1 then
    return 'source'
  end
  local sweep = sweep_of(id)
  if sweep and not outcome_of(sweep) then
    return 'sweep'
  end
  if redis.call('EXISTS', K.children(id)) == 1 or sweep and redis.call('EXISTS', K.children(sweep)) == 1 then
    return 'parent'
  end
end

local gone = {}

local function forget(key, who)
  for _, digest in ipairs(redis.call('HMGET', key, 'code', 'diff')) do
    if digest and digest ~= '' and release_blob(digest, who) then
      gone[#gone + 1] = digest
    end
  end
  local name = redis.call('HGET', key, 'name')
  if name and redis.call('HGET', K.names, name) == who then
    redis.call('HDEL', K.names, name)
  end
  for _, index in ipairs({K.jobs, K.rows, K.job_ids}) do
    redis.call('ZREM', index, who)
  end
  redis.call('UNLINK', key, K.spec(who), K.log(who), K.metrics(who), K.scores(who), K.backlog(who), K.turns(who))
end

local why = why_it_stays()
if why or ARGV[3] == '1' then
  return {why or 'removed'}
end
local sweep = sweep_of(id)
count_at(K.tally, get(id, 'outcome'), '')
forget(K.job(id), id)
redis.call('UNLINK', result_key)
if sweep and is_sweep(sweep) then
  local removed = redis.call('HINCRBY', K.sweep(sweep), 'removed', 1)
  if removed >= tonumber(redis.call('HGET', K.sweep(sweep), 'total')) then
    forget(K.sweep(sweep), sweep)
  end
end
return {'removed', unpack(gone)}
