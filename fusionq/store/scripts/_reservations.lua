-- What a job holds of its worker, from when it is assigned until it runs no more: a slot, and GPUs or shares of them.

-- How many jobs each user has assigned or running: whoever has fewer goes first.
local function count_active(id, by)
  local user = get(id, 'user') or ''
  if redis.call('HINCRBY', K.usage, user, by) <= 0 then
    redis.call('HDEL', K.usage, user)
  end
end

-- On one worker.
local function hold_part(id, worker, gpus, bytes)
  redis.call('SADD', K.worker_jobs(worker), id)
  for gpu in string.gmatch(gpus, '%d+') do
    take_gpu(worker, gpu, id, bytes)
  end
  for _, need in ipairs(host_needs(id)) do
    take_gpu(worker, need[1], id, need[2])
  end
end

-- `members` are the other workers of a job that trains on several.
local function reserve(id, worker, gpus, bytes, members)
  local host = redis.call('HGET', K.worker(worker), 'host') or ''
  set(id, 'worker', worker, 'host', host, 'assigned_gpus', gpus)
  if members ~= '' or get(id, 'members') then
    set(id, 'members', members)
  end
  hold_part(id, worker, gpus, bytes)
  each_member(id, function(name, its_gpus)
    hold_part(id, name, its_gpus, bytes)
    note_member(id, name)
  end)
  count_active(id, 1)
end

-- Returns whether it held anything there.
local function give_back_part(id, worker, gpus)
  local held = redis.call('SREM', K.worker_jobs(worker), id) == 1
  for gpu in string.gmatch(gpus, '%d+') do
    free_gpu(worker, gpu, id)
  end
  for _, need in ipairs(host_needs(id)) do
    free_gpu(worker, need[1], id)
  end
  return held
end

-- Gives back whatever the job holds of its worker, and takes it off every list of things to come.
local function release(id)
  local worker = get(id, 'worker')
  if worker and worker ~= '' then
    if give_back_part(id, worker, get(id, 'assigned_gpus') or '') then
      count_active(id, -1)
    end
    each_member(id, function(name, gpus)
      give_back_part(id, name, gpus)
    end)
    redis.call('DEL', K.gang(id))
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
