-- One page of all jobs, newest first or oldest first, and which of them the filters let through.
-- ARGV: filters as JSON, sequence behind which the page begins ('' at first), how many jobs to look at, 1 for oldest first.
-- Returns the sequence to go on behind ('' at the end), then the ids.
local filters, after, count, is_up = cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4] == '1'
local cutoff = filters.older_ms and now_ms() - filters.older_ms
local oldest = filters.newer_ms and now_ms() - filters.newer_ms

-- Jobs that were put back after a loss of data stand behind those that were submitted before that.
local is_in_order = redis.call('HEXISTS', K.identity, 'recovered_ms') == 0

local function is_one_of(value, wanted)
  if not wanted then
    return true
  end
  for _, each in ipairs(wanted) do
    if each == value then
      return true
    end
  end
  return false
end

-- The patterns come from Python, anchored and escaped.
local function is_like(value, patterns)
  if not patterns then
    return true
  end
  for _, pattern in ipairs(patterns) do
    if string.find(value, pattern) then
      return true
    end
  end
  return false
end

local function has_tag(tags)
  if not filters.tags then
    return true
  end
  for _, tag in ipairs(cjson.decode(tags ~= '' and tags or '[]')) do
    if is_one_of(tag, filters.tags) then
      return true
    end
  end
  return false
end

local function passes(job)
  local state = job.outcome ~= '' and job.outcome or job.status
  return state ~= '' and is_one_of(state, filters.states) and is_one_of(job.queue, filters.queues)
    and is_one_of(job.failure, filters.failures) and is_one_of(job.user, filters.users) and is_one_of(job.sweep, filters.sweeps)
    and is_like(job.name, filters.names) and has_tag(job.tags)
    and (not cutoff or (job.status == 'finished' and tonumber(job.finished_at) <= cutoff))
end

local FIELDS = {'status', 'outcome', 'name', 'queue', 'user', 'sweep', 'tags', 'failure', 'finished_at', 'submitted_at'}

local page
if is_up then
  page = redis.call('ZRANGEBYSCORE', K.jobs, after == '' and '-inf' or '(' .. after, '+inf', 'WITHSCORES',
    'LIMIT', 0, count)
else
  page = redis.call('ZREVRANGEBYSCORE', K.jobs, after == '' and '+inf' or '(' .. after, '-inf', 'WITHSCORES',
    'LIMIT', 0, count)
end
local answer = {#page < 2 * count and '' or page[#page]}
for i = 1, #page, 2 do
  local job = {}
  for k, value in ipairs(redis.call('HMGET', K.job(page[i]), unpack(FIELDS))) do
    job[FIELDS[k]] = value or ''
  end
  local submitted_at = tonumber(job.submitted_at ~= '' and job.submitted_at or 0)
  if oldest and submitted_at < oldest then
    if not is_up and is_in_order then
      answer[1] = ''  -- whatever comes now was submitted earlier still
      break
    end
  elseif cutoff and is_up and is_in_order and submitted_at > cutoff then
    answer[1] = ''  -- whatever was submitted later cannot have ended earlier
    break
  elseif passes(job) then
    answer[#answer + 1] = page[i]
  end
end
return answer
