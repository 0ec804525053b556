-- Asks a worker for another number of slots. ARGV: name, number, prefix of the workers' channels.
-- Returns 1, or 0 where no such worker lives. It says with its next heartbeat how many it has.
if not is_alive(ARGV[1]) then
  return 0
end
ask_worker(ARGV[1], 'slots_wanted', ARGV[2], 'slots=' .. ARGV[2], ARGV[3])
return 1
