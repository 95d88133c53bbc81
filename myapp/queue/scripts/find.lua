-- queues, statuses (JSON), task, text, offset, limit, "1" for whole jobs
-- -> {total, {key, {field, value, ...}}, ...}
-- The newest first: a job is as old as its entry into its status. Each index has this order, and
-- a page of all together is found by counting and never by reading what comes before it.
local queues, statuses = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local task, text = ARGV[3], ARGV[4]:lower()
local offset, limit, whole_jobs = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
-- So many of the newest jobs are searched for a text.
local TEXT_DEPTH = 1000
local SEARCHED = {'task', 'request_id', 'worker', 'payload', 'result', 'errors'}

local indexes, total = {}, 0
for _, queue in ipairs(queues) do
  for _, status in ipairs(statuses) do
    local index = BY_STATUS:format(queue, status)
    if task ~= '' then index = BY_TASK:format(queue, status, task) end
    local size = redis.call('ZCARD', index)
    if size > 0 then
      table.insert(indexes, index)
      total = total + size
    end
  end
end

local function newer_in(index, time)
  return redis.call('ZCOUNT', index, '(' .. whole(time), '+inf')
end

local function newer(time)
  local count = 0
  for _, index in ipairs(indexes) do count = count + newer_in(index, time) end
  return count
end

-- The time of the job at a place of the whole list, by halving the span of all.
local function time_at(place)
  local low, high = math.huge, 0
  for _, index in ipairs(indexes) do
    low = math.min(low, tonumber(redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2]))
    high = math.max(high, tonumber(redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2]))
  end
  while low < high do
    local middle = math.floor((low + high) / 2)
    if newer(middle) <= place then high = middle else low = middle + 1 end
  end
  return low
end

-- What each index has from a place of the whole list on, as {key, time, ...}. Jobs of one
-- millisecond are in the order of the indexes.
local function read_from(place, count)
  local time = time_at(place)
  local ties = place - newer(time)
  local parts = {}
  for _, index in ipairs(indexes) do
    local same = math.min(ties, redis.call('ZCOUNT', index, whole(time), whole(time)))
    local start = newer_in(index, time) + same
    ties = ties - same
    table.insert(parts, redis.call('ZREVRANGE', index, start, start + count - 1, 'WITHSCORES'))
  end
  return parts
end

local function page(place, count)
  if place >= total or count == 0 then return {} end
  local parts, at, keys = read_from(place, count), {}, {}
  while #keys < count do
    local best, newest
    for i, part in ipairs(parts) do
      local time = tonumber(part[(at[i] or 0) + 2])
      if time and (not newest or time > newest) then best, newest = i, time end
    end
    if not best then break end
    table.insert(keys, parts[best][(at[best] or 0) + 1])
    at[best] = (at[best] or 0) + 2
  end
  return keys
end

local function mentions(key)
  if key:lower():find(text, 1, true) then return true end
  for _, value in ipairs(redis.call('HMGET', JOB:format(key), unpack(SEARCHED))) do
    -- The errors are written by cjson, which escapes each slash.
    if value and value:lower():gsub('\\/', '/'):find(text, 1, true) then return true end
  end
  return false
end

local keys
if text == '' then
  keys = page(offset, limit)
else
  local found = {}
  for _, key in ipairs(page(0, TEXT_DEPTH)) do
    if mentions(key) then table.insert(found, key) end
  end
  total, keys = #found, {unpack(found, offset + 1, math.min(offset + limit, #found))}
end

local answer = {total}
for _, key in ipairs(keys) do
  table.insert(answer, {key, whole_jobs and redis.call('HGETALL', JOB:format(key)) or {}})
end
return answer
