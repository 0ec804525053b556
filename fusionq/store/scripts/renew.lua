-- A worker's heartbeat for its running jobs. ARGV: lease ms, name of the worker, then id, attempt, …
-- Returns for each job 'lost', or what it is asked to stop for ('' for nothing).
local until_ms = now_ms() + tonumber(ARGV[1])
local answers = {}
for i = 3, #ARGV, 2 do
  local id = ARGV[i]
  if holds(id, ARGV[i + 1]) and is_of(id, ARGV[2]) and get(id, 'status') == 'running' then
    redis.call('ZADD', K.leases, until_ms, id)
    answers[#answers + 1] = get(id, 'stop_requested') or ''
  elseif holds(id, ARGV[i + 1]) and is_member(id, ARGV[2]) and is_active(id) then
    note_member(id, ARGV[2])
    answers[#answers + 1] = ''
  else
    answers[#answers + 1] = 'lost'
  end
end
return answers
