-- How a job comes to its queue, at once or past what keeps it back: whoever holds it, the jobs before it, a time
-- to come, the turn of its sweep.

-- To `waiting`, or on with waiting for another reason.
local function wait(id, reason)
  if get(id, 'status') == 'waiting' then
    set(id, 'reason', reason)
  else
    move(id, 'waiting', reason)
  end
end

local function is_held(id)
  return (get(id, 'held') or '') ~= ''
end

-- What keeps a job out of its queue, but for its turn; nil for nothing. `reason` is why it came back, where it did.
local function kept_back(id, reason)
  if is_held(id) then
    return get(id, 'held')
  end
  if redis.call('EXISTS', K.parents(id)) == 1 then
    local verdict, going = judge_parents(id)
    return going_reason(id, going)
  end
  local due_ms = tonumber(get(id, 'due_at') or '') or 0
  if due_ms > now_ms() then
    redis.call('ZADD', K.waiting, due_ms, id)
    return reason ~= '' and reason or because('time')
  end
end

-- The time that a job may wait for a worker runs from when it is queued first until it starts.
local function begin_overdue_time(id)
  local most = tonumber(get(id, 'wait_timeout') or '')
  if most and (tonumber(get(id, 'started_at') or '') or 0) == 0 then
    redis.call('ZADD', K.overdue, 'NX', now_ms() + most, id)
  end
end

-- Takes its turn, where its sweep lets only some trials run at once. Returns how many, where it must wait for it.
local function take_turn(id)
  local sweep = sweep_of(id)
  local most = sweep and tonumber(redis.call('HGET', K.sweep(sweep), 'max_parallel') or '')
  if not most or redis.call('SISMEMBER', K.turns(sweep), id) == 1 then
    return
  end
  if redis.call('SCARD', K.turns(sweep)) >= most then
    redis.call('ZADD', K.backlog(sweep), place_in_queue(id), id)
    return most
  end
  redis.call('SADD', K.turns(sweep), id)
end

-- The one place that says where a job stands that does not run: in its queue, or waiting, with the reason.
local function admit(id, reason)
  local kept = kept_back(id, reason)
  if kept then
    return wait(id, kept)
  end
  local most = take_turn(id)
  if most then
    return wait(id, because('turn', most))
  end
  if move(id, 'queued', reason) then
    enqueue(id)
    begin_overdue_time(id)
  end
end

-- The turn of a trial that is over, or is held, goes to the next of the backlog.
local function pass_turn(id)
  local sweep = sweep_of(id)
  if sweep and redis.call('SREM', K.turns(sweep), id) == 1 then
    local next_up = redis.call('ZRANGE', K.backlog(sweep), 0, 0)[1]
    if next_up then
      redis.call('ZREM', K.backlog(sweep), next_up)
      admit(next_up, '')
    end
  end
end

-- An assigned or running job goes back, to start again at once or (due_ms > now) later. A trial keeps its turn,
-- unless it is held.
local function requeue(id, reason, due_ms)
  release(id)
  set(id, 'worker', '', 'host', '', 'assigned_gpus', '', 'stop_requested', '', 'due_at', due_ms)
  admit(id, reason)
  if is_held(id) then
    pass_turn(id)
  end
end

-- A worker takes nothing any more, and what it has not started goes back.
local function close_worker(worker, reason)
  redis.call('HSET', K.worker(worker), 'accepting', 0)
  for _, id in ipairs(redis.call('SMEMBERS', K.worker_jobs(worker))) do
    if get(id, 'status') == 'assigned' then
      requeue(id, reason, 0)
    end
  end
end

-- Makes it known: in the list of all jobs, and under its name.
local function list(id, name, sequence)
  redis.call('ZADD', K.jobs, sequence, id)
  redis.call('HSET', K.names, name, id)
end

-- A row of the overview: a job that is no trial, or a sweep. Its id is found by a prefix.
local function add_row(id, sequence)
  redis.call('ZADD', K.rows, sequence, id)
  redis.call('ZADD', K.job_ids, 0, id)
end

-- A job, or a sweep, with the same digest is the same work: those that have not ended stand together.
local function note_same(key, id)
  local digest = redis.call('HGET', key, 'digest')
  if digest and digest ~= '' then
    redis.call('SADD', K.same(digest), id)
  end
end

local function forget_same(key, id)
  local digest = redis.call('HGET', key, 'digest')
  if digest and digest ~= '' then
    redis.call('SREM', K.same(digest), id)
  end
end

-- The oldest of those that are the same as a record that is not there yet (field, value, …), or nil.
local function same_as(fields)
  local oldest, first
  for i = 1, #fields, 2 do
    if fields[i] == 'digest' and fields[i + 1] ~= '' then
      for _, id in ipairs(redis.call('SMEMBERS', K.same(fields[i + 1]))) do
        local sequence = tonumber(get(id, 'sequence') or redis.call('HGET', K.sweep(id), 'sequence') or '')
        if sequence and (not first or sequence < first) then
          oldest, first = id, sequence
        end
      end
    end
  end
  return oldest
end
