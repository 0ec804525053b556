-- Another place among those that wait, for a job or every trial of a sweep. ARGV: id, priority.
-- Returns for each 'changed', 'finished' or 'missing'.
local answers = {}
for _, id in ipairs(jobs_of(ARGV[1])) do
  local status = get(id, 'status') or 'missing'
  if status ~= 'finished' and status ~= 'missing' then
    set(id, 'priority', ARGV[2])
    local sweep = sweep_of(id)
    if status == 'queued' then
      enqueue(id)
    elseif sweep and redis.call('ZSCORE', K.backlog(sweep), id) then
      redis.call('ZADD', K.backlog(sweep), place_in_queue(id), id)
    end
    status = 'changed'
  end
  answers[#answers + 1] = status
end
if is_sweep(ARGV[1]) then
  redis.call('HSET', K.sweep(ARGV[1]), 'priority', ARGV[2])
end
return answers
