-- Asks a worker to leave. ARGV: name, word, prefix of the workers' channels.
-- Returns 1, or 0 where no such worker lives. It gets no job any more, and those that it has not started go back.
local name, word = ARGV[1], ARGV[2]
if not is_alive(name) then
  return 0
end
local stop = redis.call('HGET', K.worker(name), 'stop') or ''
if WORKER_STOP_RANK[word] > WORKER_STOP_RANK[stop] then
  stop = word
end
close_worker(name, because('worker_stops'))
ask_worker(name, 'stop', stop, word, ARGV[3])
return 1
