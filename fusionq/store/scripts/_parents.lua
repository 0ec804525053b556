-- The jobs and sweeps that a job waits for, as the field `after` of its record lists them.

local function parents_of(id)
  local parents = {}
  for parent in string.gmatch(get(id, 'after') or '', '[^,]+') do
    parents[#parents + 1] = parent
  end
  return parents
end

local function is_sweep(id)
  return redis.call('EXISTS', K.sweep(id)) == 1
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

local function shown(id)
  return id .. ' (' .. (redis.call('HGET', is_sweep(id) and K.sweep(id) or K.job(id), 'name') or '') .. ')'
end

local function failed_reason(parent, outcome)
  local how = {failed = 'failed', cancelled = 'was cancelled', timed_out = 'ran out of time', missing = 'is gone'}
  local kind = is_sweep(parent) and 'sweep' or 'job'
  return 'the ' .. kind .. ' that it waits for, ' .. shown(parent) .. ', ' .. how[outcome]
end

local function parents_reason(id)
  local first
  for _, parent in ipairs(parents_of(id)) do
    if not first and redis.call('SISMEMBER', K.parents(id), parent) == 1 then
      first = parent
    end
  end
  local more = redis.call('SCARD', K.parents(id)) - 1
  return 'waits for ' .. shown(first) .. (more > 0 and ' and ' .. more .. ' more' or '')
end

-- From now on the job hears of those of its parents that go on. Returns one that did not succeed, and how it ended.
local function note_parents(id)
  for _, parent in ipairs(parents_of(id)) do
    local outcome = outcome_of(parent)
    if not outcome then
      redis.call('SADD', K.parents(id), parent)
      redis.call('ZADD', K.children(parent), get(id, 'sequence'), id)
    elseif outcome ~= 'succeeded' then
      return parent, outcome
    end
  end
end

-- A parent has succeeded. Returns whether it was the last one.
local function wait_no_more(id, parent)
  redis.call('ZREM', K.children(parent), id)
  redis.call('SREM', K.parents(id), parent)
  return redis.call('EXISTS', K.parents(id)) == 0
end
