-- A running job saves its state and goes back to its queue. ARGV: id, attempt, prefix of the workers' channels.
if holds(ARGV[1], ARGV[2]) and get(ARGV[1], 'status') == 'running' then
  ask_to_stop(ARGV[1], 'requeue', ARGV[3])
end
return 1
