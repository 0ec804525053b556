-- An assigned or running job goes back. ARGV: id, attempt, reason, delay ms, and where it counts as a loss, the
-- class of the failure and the one it counts as.
local id = ARGV[1]
if not holds(id, ARGV[2]) then
  return 0
end
local from = get(id, 'status')
if from ~= 'assigned' and from ~= 'running' then
  return 0
end
if is_being_cancelled(id) then
  return finish(id, 'cancelled', because('cancelled'), '') and 1 or 0
end
requeue(id, ARGV[3], now_ms() + tonumber(ARGV[4]))
if ARGV[5] ~= '' then
  count_loss(id, ARGV[5], ARGV[6])
end
return 1
