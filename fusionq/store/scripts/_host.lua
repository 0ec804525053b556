-- Cores and memory of the host, of which a worker has so many, and which jobs hold as they hold shares of a GPU.

-- What a job asks for: pairs of a name and an amount.
local function host_needs(id)
  local text, found = get(id, 'needs') or '', {}
  local needs = text ~= '' and cjson.decode(text) or {}
  for _, what in ipairs({'cpus', 'memory'}) do
    if needs[what] then
      found[#found + 1] = {what, string.format('%.0f', needs[what])}
    end
  end
  return found
end

local function host_has_room(worker, id)
  for _, need in ipairs(host_needs(id)) do
    local has = redis.call('HGET', K.worker(worker), need[1])
    if has and (shared_bytes(holders_of(worker, need[1])) or 0) + tonumber(need[2]) > tonumber(has) then
      return false
    end
  end
  return true
end
