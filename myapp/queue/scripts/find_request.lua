-- queues, statuses (JSON), task, request id, offset, limit, "1" for whole jobs
-- -> {total, {key, {field, value, ...}}, ...}
-- Of a request that queued more jobs than this, only so many of the newest are looked at.
local DEPTH = 10000
local queues, task, request = cjson.decode(ARGV[1]), ARGV[3], ARGV[4]
local offset, limit, whole_jobs = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
local wanted = {}
for _, status in ipairs(cjson.decode(ARGV[2])) do wanted[status] = true end

local keys = {}
for _, queue in ipairs(queues) do
  -- "!" follows the space that ends the request's id.
  local members = redis.call('ZREVRANGEBYLEX', REQUESTS:format(queue),
    '(' .. request .. '!', '[' .. request .. ' ', 'LIMIT', 0, DEPTH)
  for _, member in ipairs(members) do
    local key = member:sub(#request + 2)
    local status, its_task = unpack(redis.call('HMGET', JOB:format(key), 'status', 'task'))
    if wanted[status] and (task == '' or task == its_task) then table.insert(keys, key) end
  end
end

local answer = {#keys}
for i = offset + 1, math.min(offset + limit, #keys) do
  table.insert(answer, {keys[i], whole_jobs and redis.call('HGETALL', JOB:format(keys[i])) or {}})
end
return answer
