-- ARGV: id, reason, prefix of the workers' channels. Returns 'cancelled', 'asked' (it runs and was told), 'finished' or 'missing'.
return cancel(ARGV[1], ARGV[2], ARGV[3])
