-- queues (JSON), cap of complete jobs, then statuses
-- -> for each queue {paused, age of the oldest waiting job (ms) or -1, ended and failed in a
-- minute (as text), jobs of each status ...}
local cap = tonumber(ARGV[2])
local MINUTE = 60 * 1000
local at = now()

local function age_of_oldest(index)
  local oldest = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2]
  return oldest and at - oldest or -1
end

-- Jobs that came into a status within a minute. The complete ones are kept up to a cap: where
-- all that are kept are younger than a minute, their own span tells how fast they come.
local function rate(queue, status)
  local index = BY_STATUS:format(queue, status)
  local span = age_of_oldest(index)
  local count = redis.call('ZCOUNT', index, whole(at - MINUTE), '+inf')
  if status == 'complete' and count >= cap and span < MINUTE then
    return count * MINUTE / math.max(span, 1)
  end
  return count
end

local answer = {}
for _, queue in ipairs(cjson.decode(ARGV[1])) do
  local failed = rate(queue, 'failed')
  local row = {
    redis.call('SISMEMBER', PAUSED, queue),
    age_of_oldest(BY_STATUS:format(queue, 'queued')),
    whole(rate(queue, 'complete') + failed),
    whole(failed),
  }
  for i = 3, #ARGV do
    table.insert(row, redis.call('ZCARD', BY_STATUS:format(queue, ARGV[i])))
  end
  table.insert(answer, row)
end
return answer
