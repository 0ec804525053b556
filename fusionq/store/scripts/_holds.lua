-- A job that a person holds does not run until it is let go.

-- Returns 'held', 'asked' (it runs: it saves its state and waits then), 'already', 'finished' or 'missing'.
local function hold(id, reason, channels)
  local status = get(id, 'status')
  if not status or status == 'finished' then
    return status or 'missing'
  end
  if is_held(id) then
    return 'already'
  end
  set(id, 'held', reason)
  if status == 'running' then
    ask_to_stop(id, 'requeue', channels)
    return 'asked'
  end
  release(id)
  redis.call('ZREM', K.overdue, id)
  set(id, 'worker', '', 'host', '', 'assigned_gpus', '')
  wait(id, reason)
  pass_turn(id)
  return 'held'
end

-- Returns 'released', 'free' (nobody held it), 'finished' or 'missing'.
local function let_go(id)
  local status = get(id, 'status')
  if not status or status == 'finished' then
    return status or 'missing'
  end
  if not is_held(id) then
    return 'free'
  end
  set(id, 'held', '')
  if status == 'waiting' then
    admit(id, '')
  end
  return 'released'
end
