-- A queued job to a worker. ARGV: id, worker, GPU numbers joined by commas, ms until it must have started.
-- Returns the number of the new attempt, or 0 where the job or the room for it is gone, or its queue is paused.
local id, worker, gpus = ARGV[1], ARGV[2], ARGV[3]
local alive_until = redis.call('ZSCORE', K.workers, worker)
if not alive_until or tonumber(alive_until) < now_ms() then
  return 0
end
if redis.call('HGET', K.worker(worker), 'accepting') ~= '1' then
  return 0
end
if redis.call('SCARD', K.worker_jobs(worker)) >= tonumber(redis.call('HGET', K.worker(worker), 'slots')) then
  return 0
end
local bytes = get(id, 'gpu_memory') or ''
for gpu in string.gmatch(gpus, '%d+') do
  if not gpu_has_room(worker, gpu, bytes) then
    return 0
  end
end
if not host_has_room(worker, id) then
  return 0
end
if get(id, 'status') ~= 'queued' or redis.call('HEXISTS', K.paused, get(id, 'queue')) == 1 then
  return 0
end
local attempt = redis.call('HINCRBY', K.job(id), 'attempt', 1)
move(id, 'assigned', '')
dequeue(id)
reserve(id, worker, gpus, bytes)
set(id, 'assigned_at', now_ms())
redis.call('ZADD', K.assigned, now_ms() + tonumber(ARGV[4]), id)
return attempt
