-- ARGV: id, reason, prefix of the workers' channels, how to stop. Returns 'cancelled', 'asked' (it runs and was told), 'finished' or 'missing'.
return cancel(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
