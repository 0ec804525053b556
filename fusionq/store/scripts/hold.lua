-- Holds a job, or every trial of a sweep. ARGV: id, reason, prefix of the workers' channels.
-- Returns what came of each (see hold).
local answers = {}
for _, id in ipairs(jobs_of(ARGV[1])) do
  answers[#answers + 1] = hold(id, ARGV[2], ARGV[3])
end
return answers
