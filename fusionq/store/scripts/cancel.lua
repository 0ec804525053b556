-- ARGV: id, reason, prefix of the workers' channels. Returns 'cancelled', 'asked' (it runs and was told), 'finished' or 'missing'.
local id = ARGV[1]
local status = get(id, 'status')
if not status then
  return 'missing'
end
if status == 'finished' then
  return 'finished'
end
if status == 'running' then
  set(id, 'stop_requested', 'cancel')
  redis.call('PUBLISH', ARGV[3] .. get(id, 'worker'), id)
  return 'asked'
end
finish(id, 'cancelled', ARGV[2], '')
return 'cancelled'
