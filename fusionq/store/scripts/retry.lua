-- ARGV: id, 1 to begin anew, and for a job that is to go on with another spec: its spec as it was read, the new one, then
-- field, value, … of the record. Returns {'retried'}, or why not: see cannot_retry, or 'changed' (its spec is not the one
-- that was read).
local id, fresh, read, spec = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]
local why, parent = cannot_retry(id, fresh or spec)
if not why and spec and not has_spec(id, read) then
  why = 'changed'
end
if why then
  return {why, parent or ''}
end
if spec then
  replace_spec(id, spec, unpack(ARGV, 5))
end
retry(id, fresh)
return {'retried', ''}
