-- Where queued jobs stand. ARGV: ids. Returns for each {job, its lane, how many jobs of its queue go before it}; for a
-- sweep that is the first of its trials that is queued, and {} where nothing is.
local is_fair = redis.call('HGET', K.policy, 'order') ~= 'fifo'

local lanes_of = {}  -- by queue, then by user
for _, lane in ipairs(redis.call('SMEMBERS', K.lanes)) do
  local what = cjson.decode(lane)
  local users = lanes_of[what[1]] or {}
  lanes_of[what[1]] = users
  users[what[2]] = users[what[2]] or {}
  table.insert(users[what[2]], lane)
end

-- How many jobs of some lanes lie between two places; neither belongs to it, and '-inf' is before all.
local function count(lanes, from, to)
  local sum = 0
  for _, lane in ipairs(lanes) do
    sum = sum + redis.call('ZCOUNT', K.pending(lane), from, string.format('(%.0f', to))
  end
  return sum
end

-- Every user's jobs of one priority stand at levels, one job each: the jobs that he has then, those of a higher
-- priority already among them. Whoever stands at a lower level goes first, and at the same level who came first.
local function ahead_if_fair(users, user, place)
  local top = math.floor(place / SUBMISSIONS) * SUBMISSIONS  -- where its priority begins
  local function stands(who)
    local higher = count(users[who], '-inf', top)
    local has = tonumber(redis.call('HGET', K.usage, who) or 0) + higher
    return higher, has, count(users[who], string.format('%.0f', top), place)
  end
  local _, has, before = stands(user)
  local level = has + before
  local ahead = 0
  for who, lanes in pairs(users) do
    local higher, first_level, came_before = stands(who)
    local lower = math.max(0, level - first_level)
    local all = count(lanes, string.format('%.0f', top), top + SUBMISSIONS)
    ahead = ahead + higher + math.min(all, lower)
    if who ~= user and level >= first_level and came_before > lower then
      ahead = ahead + 1  -- his job at this very level came before
    end
  end
  return ahead
end

local function ahead_of(lane, place)
  local what = cjson.decode(lane)
  local users, ahead = lanes_of[what[1]], 0
  if is_fair then
    return ahead_if_fair(users, what[2], place)
  end
  for _, lanes in pairs(users) do
    ahead = ahead + count(lanes, '-inf', place)
  end
  return ahead
end

local function place_of(id)
  local lane = get(id, 'status') == 'queued' and get(id, 'lane')
  local place = lane and redis.call('ZSCORE', K.pending(lane), id)
  return place and {id, lane, ahead_of(lane, tonumber(place))}
end

local function first_place(id)
  for _, each in ipairs(jobs_of(id)) do
    local place = place_of(each)
    if place then
      return place
    end
  end
  return {}
end

local places = {}
for i, id in ipairs(ARGV) do
  places[i] = first_place(id)
end
return places
