-- Asking a job that runs to stop: a word in its record, which its worker reads with every renewal, and the
-- same word on the channel of its worker, so that it acts at once.

-- A later word replaces an earlier one only where it asks for more (STOP_RANK).
local function ask_to_stop(id, word, channels)
  if STOP_RANK[word] > STOP_RANK[get(id, 'stop_requested') or ''] then
    set(id, 'stop_requested', word)
  end
  redis.call('PUBLISH', channels .. get(id, 'worker'), word .. ' ' .. id)
end

-- A job that is to be cancelled must not start anew.
local function is_being_cancelled(id)
  return STOP_RANK[get(id, 'stop_requested') or ''] >= STOP_RANK.cancel
end
