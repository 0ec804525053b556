-- What somebody is to be told. A notice is written down in the same script as the change that it is about, so none is
-- lost; whoever sends it takes it off the list.

-- `key` is the record of a job or of a sweep. Its field `notify` lists, for each address of its file, the events.
local function note_event(key, id, event)
  local wanted = redis.call('HGET', key, 'notify') or ''
  for i, events in ipairs(wanted ~= '' and cjson.decode(wanted) or {}) do
    for _, each in ipairs(events) do
      if each == event then
        local time = redis.call('TIME')
        local at = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
        -- To the microsecond: what a job begins and ends within one millisecond is told in that order.
        local due = string.format('%.3f', time[1] * 1000 + time[2] / 1000)
        redis.call('ZADD', K.notices, due, table.concat({id, event, at, i - 1}, ' '))
      end
    end
  end
end
