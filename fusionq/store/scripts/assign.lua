-- A queued job to a worker, or to several. ARGV: id, worker, GPU numbers joined by commas, ms until it must have started,
-- and the other workers with their GPUs, as its record names them ('' for none).
-- Returns the number of the new attempt, or 0 where the job or the room for it is gone, or its queue is paused.
local id, worker, gpus, members = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local bytes = get(id, 'gpu_memory') or ''

local function has_room(name, its_gpus)
  if not is_alive(name) then
    return false
  end
  local has = redis.call('HMGET', K.worker(name), 'accepting', 'slots')
  if has[1] ~= '1' or redis.call('SCARD', K.worker_jobs(name)) >= tonumber(has[2]) then
    return false
  end
  for gpu in string.gmatch(its_gpus, '%d+') do
    if not gpu_has_room(name, gpu, bytes) then
      return false
    end
  end
  return host_has_room(name, id)
end

if not has_room(worker, gpus) then
  return 0
end
for name, its_gpus in string.gmatch(members, '([^ ]+)=([%d,]*)') do
  if not has_room(name, its_gpus) then
    return 0
  end
end
if get(id, 'status') ~= 'queued' or redis.call('HEXISTS', K.paused, get(id, 'queue')) == 1 then
  return 0
end
local attempt = redis.call('HINCRBY', K.job(id), 'attempt', 1)
move(id, 'assigned', '')
dequeue(id)
reserve(id, worker, gpus, bytes, members)
set(id, 'assigned_at', now_ms())
redis.call('ZADD', K.assigned, now_ms() + tonumber(ARGV[4]), id)
return attempt
