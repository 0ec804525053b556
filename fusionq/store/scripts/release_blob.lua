-- ARGV: digest, the job or sweep that is gone. Returns 1 where it was the last user, and the blob is gone with it.
return release_blob(ARGV[1], ARGV[2]) and 1 or 0
