-- What a job holds of its worker, from when it is assigned until it runs no more: a slot, and GPUs or shares of them.

-- How many jobs each user has assigned or running: whoever has fewer goes first.
local function count_active(id, by)
  local user = get(id, 'user') or ''
  if redis.call('HINCRBY', K.usage, user, by) <= 0 then
    redis.call('HDEL', K.usage, user)
  end
end

-- Counts anew where the sum is wrong: an older version that moves jobs meanwhile counts none of them.
local function count_all_active()
  local sum = 0
  for _, count in ipairs(redis.call('HVALS', K.usage)) do
    sum = sum + tonumber(count)
  end
  if sum ~= redis.call('ZCARD', K.assigned) + redis.call('ZCARD', K.leases) then
    redis.call('DEL', K.usage)
    for _, list in ipairs({K.assigned, K.leases}) do
      for _, id in ipairs(redis.call('ZRANGE', list, 0, -1)) do
        count_active(id, 1)
      end
    end
  end
end

local function reserve(id, worker, gpus, bytes)
  set(id, 'worker', worker, 'host', redis.call('HGET', K.worker(worker), 'host') or '', 'assigned_gpus', gpus)
  redis.call('SADD', K.worker_jobs(worker), id)
  for gpu in string.gmatch(gpus, '%d+') do
    take_gpu(worker, gpu, id, bytes)
  end
  for _, need in ipairs(host_needs(id)) do
    take_gpu(worker, need[1], id, need[2])
  end
  count_active(id, 1)
end

-- Gives back whatever the job holds of its worker, and takes it off every list of things to come.
local function release(id)
  local worker = get(id, 'worker')
  if worker and worker ~= '' then
    if redis.call('SREM', K.worker_jobs(worker), id) == 1 then
      count_active(id, -1)
    end
    for gpu in string.gmatch(get(id, 'assigned_gpus') or '', '%d+') do
      free_gpu(worker, gpu, id)
    end
    for _, need in ipairs(host_needs(id)) do
      free_gpu(worker, need[1], id)
    end
  end
  redis.call('ZREM', K.assigned, id)
  redis.call('ZREM', K.leases, id)
  redis.call('ZREM', K.waiting, id)
  dequeue(id)
  local sweep = sweep_of(id)
  if sweep then
    redis.call('ZREM', K.backlog(sweep), id)
  end
end
