-- ARGV: id, 1 to begin anew, and for a job that is to go on with another spec: that, then field, value, … of the
-- record. Returns {'retried'}, or why not (see cannot_retry).
local id, fresh, spec = ARGV[1], ARGV[2] == '1', ARGV[3]
local why, parent = cannot_retry(id, fresh or spec)
if why then
  return {why, parent or ''}
end
if spec then
  replace_spec(id, spec, unpack(ARGV, 4))
end
retry(id, fresh)
return {'retried', ''}
