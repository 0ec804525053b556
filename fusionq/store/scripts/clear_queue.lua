-- The jobs of a queue that run save their state and go back to it; those that were about to start go back at once.
-- ARGV: queue, prefix of the workers' channels. Returns how many.
local count = 0
for _, id in ipairs(redis.call('ZRANGE', K.leases, 0, -1)) do
  if get(id, 'queue') == ARGV[1] and get(id, 'status') == 'running' then
    ask_to_stop(id, 'requeue', ARGV[2])
    count = count + 1
  end
end
for _, id in ipairs(redis.call('ZRANGE', K.assigned, 0, -1)) do
  if get(id, 'queue') == ARGV[1] and get(id, 'status') == 'assigned' then
    requeue(id, '', 0)
    count = count + 1
  end
end
return count
