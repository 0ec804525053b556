-- The trials of a sweep that ended and did not succeed, or all that ended. ARGV: sweep, 1 to begin anew.
-- Returns how many, and a parent that keeps others from it, or ''.
local sweep, fresh = ARGV[1], ARGV[2] == '1'
local count, kept_by = 0, ''
for k = 1, tonumber(redis.call('HGET', K.sweep(sweep), 'total') or 0) do
  local id = sweep .. '-' .. k
  local why, parent = cannot_retry(id, fresh)
  if not why then
    retry(id, fresh)
    count = count + 1
  end
  kept_by = parent or kept_by
end
return {count, kept_by}
