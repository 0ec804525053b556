-- The jobs and sweeps that a job comes after: the field `after` of its record lists them, `after_need` says
-- whether all of them must succeed or any one, `after_failure` what becomes of the job where that cannot be any
-- more. The job whose model it takes (`model_from`) must succeed, whatever the others do.

local function is_sweep(id)
  return redis.call('EXISTS', K.sweep(id)) == 1
end

-- The job itself, or the trials of a sweep.
local function jobs_of(id)
  local total = redis.call('HGET', K.sweep(id), 'total')
  if not total then
    return {id}
  end
  local trials = {}
  for k = 1, tonumber(total) do
    trials[k] = id .. '-' .. k
  end
  return trials
end

-- nil as long as it goes on. A sweep is over when all its trials are, and succeeded when all of them did.
local function outcome_of(id)
  if not is_sweep(id) then
    if not get(id, 'status') then
      return 'missing'
    end
    local outcome = get(id, 'outcome')
    return outcome ~= '' and outcome or nil
  end
  local read = redis.call('HMGET', K.sweep(id), 'total', 'succeeded', 'cancelled', 'failed', 'timed_out')
  local count = {}
  for i = 1, 5 do
    count[i] = tonumber(read[i] or 0)
  end
  local total, succeeded, cancelled, bad = count[1], count[2], count[3], count[4] + count[5]
  if succeeded + cancelled + bad < total then
    return nil
  end
  return bad > 0 and 'failed' or cancelled > 0 and 'cancelled' or 'succeeded'
end

-- Those that it comes after, and the job whose model it takes, or nil.
local function parents_of(id)
  local parents = {}
  for parent in string.gmatch(get(id, 'after') or '', '[^,]+') do
    parents[#parents + 1] = parent
  end
  local source = get(id, 'model_from')
  return parents, source and source ~= '' and source or nil
end

-- 'go', 'wait' with those that go on, or 'never' with one that did not succeed and how it ended.
local function judge_list(parents, needs_any, runs_anyway)
  local going, bad, how, has_one = {}, nil, nil, false
  for _, parent in ipairs(parents) do
    local outcome = outcome_of(parent)
    if not outcome then
      going[#going + 1] = parent
    elseif outcome == 'succeeded' then
      has_one = true
    elseif not bad then
      bad, how = parent, outcome
    end
  end
  local is_sure = needs_any and (has_one or #parents == 0)
  local is_hopeless = bad and not runs_anyway and (not needs_any or #going == 0)
  if not is_sure and is_hopeless then
    return 'never', bad, how
  end
  return (is_sure or #going == 0) and 'go' or 'wait', going
end

-- What those before a job mean for it now: 'go', 'wait' with those that go on, or 'never', whose fault, and how it ended.
local function judge_parents(id)
  local parents, source = parents_of(id)
  local verdict, who, how = judge_list(parents, get(id, 'after_need') == 'any', get(id, 'after_failure') == 'run')
  if not source or verdict == 'never' then
    return verdict, who, how
  end
  local of_source, whom, ended = judge_list({source}, false, false)
  if of_source == 'go' or of_source == 'wait' and verdict == 'wait' then
    return verdict, who, how
  end
  return of_source, whom, ended
end

local function name_of(id)
  return redis.call('HGET', is_sweep(id) and K.sweep(id) or K.job(id), 'name') or ''
end

local function failed_reason(parent, outcome)
  return because('parent_ended', is_sweep(parent) and 'sweep' or 'job', parent, name_of(parent), outcome)
end

local function going_reason(id, going)
  return because('parents', going[1], name_of(going[1]), #going - 1, get(id, 'after_need') == 'any')
end

-- From now on the job hears of all that it comes after, and none of them can be removed.
local function hear_parents(id)
  local parents, source = parents_of(id)
  parents[#parents + 1] = source
  for _, parent in ipairs(parents) do
    redis.call('SADD', K.parents(id), parent)
    redis.call('ZADD', K.children(parent), get(id, 'sequence'), id)
  end
end

-- It goes, or ends: what becomes of those before it does not matter any more.
local function forget_parents(id)
  for _, parent in ipairs(redis.call('SMEMBERS', K.parents(id))) do
    redis.call('ZREM', K.children(parent), id)
  end
  redis.call('DEL', K.parents(id))
end
