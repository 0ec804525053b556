-- Another worker of a job begins its part. ARGV: id, attempt, name of the worker.
-- Returns the GPU numbers that it has there, joined by commas, or nil where the message is doubled, late or stale.
local id, worker = ARGV[1], ARGV[3]
local found
if holds(id, ARGV[2]) and is_active(id) then
  each_member(id, function(name, gpus)
    found = name == worker and gpus or found
  end)
end
if found then
  note_member(id, worker)
end
return found
