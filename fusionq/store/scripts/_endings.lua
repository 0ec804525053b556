-- How a job ends, and what follows for others.

-- The best trial stands in the record of the sweep, so that the record says it all.
local function note_best(sweep)
  local is_max = redis.call('HGET', K.sweep(sweep), 'mode') == 'max'
  local best = redis.call(is_max and 'ZREVRANGE' or 'ZRANGE', K.scores(sweep), 0, 0, 'WITHSCORES')
  redis.call('HSET', K.sweep(sweep), 'best_trial', best[1] or '', 'best_value', best[2] or '')
end

local function note_score(id, result)
  local sweep = sweep_of(id)
  local is_read, read = pcall(cjson.decode, result)
  local value = is_read and type(read) == 'table' and read.best_value
  -- A number that is neither infinite nor none at all.
  if sweep and type(value) == 'number' and value - value == 0 then
    local mode = read.mode == 'min' and 'min' or 'max'
    redis.call('HSETNX', K.sweep(sweep), 'mode', mode)
    redis.call('HSETNX', K.sweep(sweep), 'monitor', tostring(read.monitor))
    redis.call('ZADD', K.scores(sweep), string.format('%.17g', value), id)
    note_best(sweep)
  end
end

local function forget_score(id)
  local sweep = sweep_of(id)
  if sweep and redis.call('ZREM', K.scores(sweep), id) == 1 then
    note_best(sweep)
  end
end

local function end_one(id, outcome, reason, result)
  if not move(id, 'finished', reason, outcome) then
    return false
  end
  release(id)
  set(id, 'finished_at', now_ms(), 'result', result, 'stop_requested', '')
  if sweep_of(id) then
    redis.call('HSET', K.sweep(sweep_of(id)), 'finished_at', now_ms())
  end
  if outcome == 'succeeded' then
    note_score(id, result)
  end
  pass_turn(id)
  return true
end

-- Those that wait for a job or a sweep that is over: they go on, or they end with it and join `ended`.
local function tell_children(parent, ended)
  if redis.call('EXISTS', K.children(parent)) == 0 then
    return
  end
  local outcome = outcome_of(parent)
  for _, child in ipairs(outcome and redis.call('ZRANGE', K.children(parent), 0, -1) or {}) do
    if outcome ~= 'succeeded' then
      end_one(child, 'failed', failed_reason(parent, outcome), '')
      ended[#ended + 1] = child
    elseif wait_no_more(child, parent) then
      admit(child, '')
    else
      hold(child, parents_reason(child))
    end
  end
end

-- The job, and whatever fails because of it, all the way down. Nobody can wait for himself: a job names
-- only jobs that were there before it, so this comes to an end.
local function finish(id, outcome, reason, result)
  if not end_one(id, outcome, reason, result) then
    return false
  end
  local ended = {id}
  while #ended > 0 do
    local last = table.remove(ended)
    tell_children(last, ended)
    if sweep_of(last) then
      tell_children(sweep_of(last), ended)
    end
  end
  return true
end

-- A job that has just come, or comes again: it waits for the jobs before it, then for its turn.
local function enter(id, reason)
  local parent, outcome = note_parents(id)
  if parent then
    hold(id, '')
    finish(id, 'failed', failed_reason(parent, outcome), '')
  elseif redis.call('EXISTS', K.parents(id)) == 1 then
    hold(id, parents_reason(id))
  else
    admit(id, reason)
  end
end

-- `word` is how one that runs is to stop. Returns 'cancelled', 'asked' (it runs, and its worker was told on its
-- channel), 'finished' or 'missing'.
local function cancel(id, reason, channels, word)
  local status = get(id, 'status')
  if not status then
    return 'missing'
  end
  if status == 'finished' then
    return 'finished'
  end
  if status == 'running' then
    ask_to_stop(id, word, channels)
    return 'asked'
  end
  finish(id, 'cancelled', reason, '')
  return 'cancelled'
end
