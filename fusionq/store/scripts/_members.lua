-- The other workers of a job that trains on several, as its record names them: 'other=0,1 third='.

-- Calls `act` with the name of each and its GPU numbers, joined by commas.
local function each_member(id, act)
  for name, gpus in string.gmatch(get(id, 'members') or '', '([^ ]+)=([%d,]*)') do
    act(name, gpus)
  end
end

local function is_member(id, worker)
  local found = false
  each_member(id, function(name)
    found = found or name == worker
  end)
  return found
end

local function is_active(id)
  local status = get(id, 'status')
  return status == 'assigned' or status == 'running'
end

-- That a member lives, as its heartbeat tells.
local function note_member(id, worker)
  redis.call('HSET', K.gang(id), worker, now_ms())
end
