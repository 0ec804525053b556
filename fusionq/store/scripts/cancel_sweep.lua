-- Every trial of a sweep. ARGV: sweep, reason, prefix of the workers' channels, how to stop.
-- Returns how many ended at once, and how many run and were told.
local sweep = ARGV[1]
local found = {waiting = {}, queued = {}, assigned = {}, running = {}, finished = {}}
for k = 1, tonumber(redis.call('HGET', K.sweep(sweep), 'total') or 0) do
  local id = sweep .. '-' .. k
  local there = found[get(id, 'status') or 'finished']
  there[#there + 1] = id
end
local count = {cancelled = 0, asked = 0}
-- Those that wait first: whoever gets the turn of another meanwhile stands in one of these lists.
for _, status in ipairs({'waiting', 'queued', 'assigned', 'running'}) do
  for _, id in ipairs(found[status]) do
    local answer = cancel(id, ARGV[2], ARGV[3], ARGV[4])
    if count[answer] then
      count[answer] = count[answer] + 1
    end
  end
end
if count.cancelled + count.asked > 0 then
  redis.call('HSET', K.sweep(sweep), 'stop_requested', 'cancel')
end
return {count.cancelled, count.asked}
