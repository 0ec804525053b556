-- Whether a blob is stored. One that nobody uses yet stays for some more time. ARGV: digest, ms.
if redis.call('PTTL', K.blob(ARGV[1])) > 0 then
  redis.call('PEXPIRE', K.blob(ARGV[1]), ARGV[2])
end
return redis.call('EXISTS', K.blob(ARGV[1]))
