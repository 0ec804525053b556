-- Who holds a GPU of a worker: one job alone ('abc'), or some that share its memory ('abc:2000,def:3000'). Cores and
-- memory of the host are held likewise, under the names 'cpus' and 'memory', by the jobs that ask for so many.

local function holders_of(worker, gpu)
  return redis.call('HGET', K.worker_gpus(worker), gpu) or ''
end

-- How much of it is held by jobs that share it; nil where a job has it to itself.
local function shared_bytes(holders)
  local sum = 0
  for holder in string.gmatch(holders, '[^,]+') do
    local bytes = tonumber(string.match(holder, ':(%d+)$') or '')
    if not bytes then
      return nil
    end
    sum = sum + bytes
  end
  return sum
end

-- What the worker says of one of its GPUs; nil where it has no such GPU.
local function gpu_of(worker, gpu)
  for _, each in ipairs(cjson.decode(redis.call('HGET', K.worker(worker), 'gpus') or '[]')) do
    if each.index == tonumber(gpu) then
      return each
    end
  end
end

-- `bytes` is '' for a job that needs the GPU to itself.
local function gpu_has_room(worker, gpu, bytes)
  local holders, it = holders_of(worker, gpu), gpu_of(worker, gpu) or {}
  if it.blocked then
    return false
  end
  if bytes == '' then
    return holders == '' and not it.foreign_bytes
  end
  local taken = shared_bytes(holders)
  return taken ~= nil and taken + (it.foreign_bytes or 0) + tonumber(bytes) <= (it.memory_bytes or 0)
end

local function take_gpu(worker, gpu, id, bytes)
  local holders = holders_of(worker, gpu)
  local holder = bytes == '' and id or id .. ':' .. bytes
  redis.call('HSET', K.worker_gpus(worker), gpu, holders == '' and holder or holders .. ',' .. holder)
end

local function free_gpu(worker, gpu, id)
  local rest = {}
  for holder in string.gmatch(holders_of(worker, gpu), '[^,]+') do
    if string.match(holder, '^[^:]+') ~= id then
      rest[#rest + 1] = holder
    end
  end
  if #rest == 0 then
    redis.call('HDEL', K.worker_gpus(worker), gpu)
  else
    redis.call('HSET', K.worker_gpus(worker), gpu, table.concat(rest, ','))
  end
end
