-- Workers as scripts see them: those whose heartbeat holds, and what they are asked for.

local function is_alive(worker)
  local alive_until = redis.call('ZSCORE', K.workers, worker)
  return alive_until and tonumber(alive_until) >= now_ms()
end

-- What a worker is asked for is noted in a field of its record, and told to this life of it at once.
local function ask_worker(worker, field, value, word, channels)
  redis.call('HSET', K.worker(worker), field, value)
  local token = redis.call('HGET', K.worker(worker), 'token') or ''
  redis.call('PUBLISH', channels .. worker, 'worker ' .. word .. ' ' .. token)
end
