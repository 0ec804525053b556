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

local FAILURE_OF = {cancelled = 'cancelled', timed_out = 'time_limit'}

-- One more attempt that failed. Returns how many did, and how many of this class.
local function count_loss(id, failure, counter)
  set(id, 'failure', failure)
  redis.call('HINCRBY', K.lost_attempts, failure, 1)
  return redis.call('HINCRBY', K.job(id), 'losses', 1), redis.call('HINCRBY', K.job(id), 'losses_by_' .. counter, 1)
end

local function end_one(id, outcome, reason, result, failure)
  if not move(id, 'finished', reason, outcome) then
    return false
  end
  release(id)
  redis.call('ZREM', K.overdue, id)
  forget_parents(id)
  forget_same(K.job(id), id)
  set(id, 'finished_at', now_ms(), 'result', result, 'stop_requested', '', 'held', '',
    'failure', FAILURE_OF[outcome] or failure or '')
  local sweep = sweep_of(id)
  if sweep then
    redis.call('HSET', K.sweep(sweep), 'finished_at', now_ms())
    if outcome_of(sweep) then
      note_event(K.sweep(sweep), sweep, outcome_of(sweep))
      forget_same(K.sweep(sweep), sweep)
    end
  end
  if outcome == 'succeeded' then
    note_score(id, result)
  end
  pass_turn(id)
  note_event(K.job(id), id, outcome)
  return true
end

-- What those before it have come to: it goes on waiting, or comes to its queue, or (true) ended with them.
local function follow_parents(id)
  local verdict, parent, how = judge_parents(id)
  if verdict == 'never' then
    local outcome = get(id, 'after_failure') == 'cancel' and 'cancelled' or 'failed'
    return end_one(id, outcome, failed_reason(parent, how), '')
  end
  if verdict == 'go' then
    forget_parents(id)
  end
  admit(id, '')
  return false
end

-- Those that wait for a job or a sweep that is over; who ends because of it joins `ended`.
local function tell_children(parent, ended)
  if redis.call('EXISTS', K.children(parent)) == 0 or not outcome_of(parent) then
    return
  end
  for _, child in ipairs(redis.call('ZRANGE', K.children(parent), 0, -1)) do
    if follow_parents(child) then
      ended[#ended + 1] = child
    end
  end
end

-- All that follows from a job that has ended, all the way down. Nobody can wait for himself: a job names
-- only jobs that were there before it, so this comes to an end.
local function tell_all(id)
  local ended = {id}
  while #ended > 0 do
    local last = table.remove(ended)
    tell_children(last, ended)
    if sweep_of(last) then
      tell_children(sweep_of(last), ended)
    end
  end
end

local function finish(id, outcome, reason, result, failure)
  local is_over = end_one(id, outcome, reason, result, failure)
  if is_over then
    tell_all(id)
  end
  return is_over
end

-- A job that has just come, or comes again.
local function enter(id)
  note_same(K.job(id), id)
  local verdict = judge_parents(id)
  if verdict == 'never' then
    wait(id, '')
    follow_parents(id)
    return tell_all(id)
  end
  if verdict == 'wait' then
    hear_parents(id)
  end
  admit(id, '')
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
