-- Queued jobs stand in lanes. Those of one lane are the same to the planner, of one queue and one user and in need
-- of the same, so it looks at the first few of each, however many there are.

local function place_in_queue(id)
  return -tonumber(get(id, 'priority')) * SUBMISSIONS + tonumber(get(id, 'sequence'))
end

local function lane_of(id)
  local what = redis.call('HMGET', K.job(id), 'queue', 'user', 'gpus', 'gpu_memory', 'needs')
  for i = 1, 4 do
    what[i] = what[i] or ''
  end
  what[5] = what[5] and what[5] ~= '' and what[5] or nil
  return cjson.encode(what)
end

-- The two doors of a lane. A job that is queued already comes to another place where its priority changed.
local function enqueue(id)
  local lane = lane_of(id)
  set(id, 'lane', lane)
  if redis.call('ZADD', K.pending(lane), place_in_queue(id), id) == 1 then
    set(id, 'queued_at', now_ms())
  end
  redis.call('SADD', K.lanes, lane)
end

local function dequeue(id)
  local lane = get(id, 'lane')
  if lane and redis.call('ZREM', K.pending(lane), id) == 1 and redis.call('EXISTS', K.pending(lane)) == 0 then
    redis.call('SREM', K.lanes, lane)
  end
end
