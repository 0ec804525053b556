-- ARGV: id, 1 to begin anew. Returns {'retried'}, or why not (see cannot_retry).
local id, fresh = ARGV[1], ARGV[2] == '1'
local why, parent = cannot_retry(id, fresh)
if why then
  return {why, parent or ''}
end
retry(id, fresh)
return {'retried', ''}
