-- How a job comes to its queue: at once, or over the backlog of its sweep.

-- To `waiting`, or on with waiting for another reason.
local function hold(id, reason)
  if get(id, 'status') == 'waiting' then
    set(id, 'reason', reason)
  else
    move(id, 'waiting', reason)
  end
end

local function turn_reason(most)
  if most == 1 then
    return 'waits for its turn: 1 trial of its sweep runs at once'
  end
  return 'waits for its turn: ' .. most .. ' trials of its sweep run at once'
end

-- Nothing holds the job back any more, but for its turn where its sweep lets only some trials run at once.
local function admit(id, reason)
  local sweep = sweep_of(id)
  local most = sweep and tonumber(redis.call('HGET', K.sweep(sweep), 'max_parallel') or '')
  if most and redis.call('SCARD', K.turns(sweep)) >= most then
    redis.call('ZADD', K.backlog(sweep), place_in_queue(id), id)
    return hold(id, turn_reason(most))
  end
  if most then
    redis.call('SADD', K.turns(sweep), id)
  end
  if move(id, 'queued', reason) then
    enqueue(id)
  end
end

-- The turn of a trial that is over goes to the next of the backlog.
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

-- Makes it known: in the list of all jobs, and under its name.
local function list(id, name, sequence)
  redis.call('ZADD', K.jobs, sequence, id)
  redis.call('HSET', K.names, name, id)
end

-- A row of the overview: a job that is no trial, or a sweep. Its id is found by a prefix.
local function add_row(id, sequence)
  if redis.call('EXISTS', K.rows) == 0 and redis.call('EXISTS', K.jobs) == 1 then
    redis.call('ZUNIONSTORE', K.rows, 1, K.jobs)  -- jobs of the time before there were sweeps
  end
  redis.call('ZADD', K.rows, sequence, id)
  redis.call('ZADD', K.job_ids, 0, id)
end
