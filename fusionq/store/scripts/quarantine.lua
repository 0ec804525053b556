-- A worker that is out of order takes nothing more, and jobs that failed there go back to their queues as if they had
-- never been started there. ARGV: name, its token, reason, and of each: id, attempt, what its failure counted as.
-- Returns how many went back.
local name, reason = ARGV[1], ARGV[3]
if redis.call('HGET', K.worker(name), 'token') ~= ARGV[2] then
  return 0
end
redis.call('HSET', K.worker(name), 'quarantine', reason)

local function give_back(id, counter)
  if get(id, 'status') == 'finished' then
    if get(id, 'outcome') ~= 'failed' or cannot_retry(id, false) then
      return 0
    end
    retry(id, false)
  else
    -- It waits for its next attempt already; the one before was not its fault.
    redis.call('HINCRBY', K.job(id), 'losses', -1)
    redis.call('HINCRBY', K.job(id), 'losses_by_' .. counter, -1)
  end
  set(id, 'failure', '', 'reason', because('worker_out_of_order', name))
  return 1
end

local back = 0
for i = 4, #ARGV, 3 do
  if holds(ARGV[i], ARGV[i + 1]) then
    back = back + give_back(ARGV[i], ARGV[i + 2])
  end
end
close_worker(name, because('worker_quarantined'))
return back
