-- A job that has ended, once more: the only way out of `finished`, and only retry scripts may make the move.

-- Why it cannot be: 'missing', 'active', 'succeeded', or 'after' with the parent that did not succeed. nil: it can.
-- One that has succeeded can where there is more to do: it begins anew, or goes on with another spec.
local function cannot_retry(id, has_more)
  local status = get(id, 'status')
  if status ~= 'finished' then
    return status and 'active' or 'missing'
  end
  if get(id, 'outcome') == 'succeeded' and not has_more then
    return 'succeeded'
  end
  local verdict, parent = judge_parents(id)
  if verdict == 'never' then
    return 'after', parent
  end
end

-- It keeps its place in the order of submission and goes on counting its attempts.
local function retry(id, fresh)
  forget_score(id)
  if fresh then
    set(id, 'fresh_after', get(id, 'attempt'))
  end
  for _, field in ipairs(redis.call('HKEYS', K.job(id))) do
    if string.find(field, '^losses_by_') then
      redis.call('HDEL', K.job(id), field)
    end
  end
  set(id, 'losses', 0, 'failure', '', 'result', '', 'progress', '', 'warning', '', 'worker', '', 'host', '', 'assigned_gpus', '',
    'assigned_at', 0, 'started_at', 0, 'finished_at', 0, 'due_at', 0)
  if sweep_of(id) then
    redis.call('HSET', K.sweep(sweep_of(id)), 'stop_requested', '')
    note_same(K.sweep(sweep_of(id)), sweep_of(id))
  end
  enter(id)
end
