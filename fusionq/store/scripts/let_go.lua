-- Lets go a job, or every trial of a sweep. ARGV: id. Returns what came of each (see let_go).
local answers = {}
for _, id in ipairs(jobs_of(ARGV[1])) do
  answers[#answers + 1] = let_go(id)
end
return answers
