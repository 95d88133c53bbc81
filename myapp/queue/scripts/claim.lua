-- queue, worker, jobs that the worker knows it holds, jobs that it wants at most, claim
-- -> {word, {key, field, value, ...} ...}
-- Taking a job and marking it as this worker's is one step: there is no moment between them.
local queue, worker, known, wanted = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
-- A number that no other call has, and text all the way: Lua would round it.
local claim = ARGV[5]
if redis.call('EXISTS', WORKER:format(worker)) == 0 then return {'stranger'} end
if redis.call('SISMEMBER', PAUSED, queue) == 1 then return {'paused'} end
-- The answer to an earlier claim was lost on its way.
if redis.call('SCARD', HELD:format(worker, queue)) > known then return {'adrift'} end

local due = DUE:format(queue)
for _, key in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', whole(now()), 'LIMIT', 0, 100)) do
  redis.call('ZREM', due, key)
  make_ready(key, 'RPUSH')
end

local answer = {'job'}
-- Cancelled and deleted jobs are left in the list, since taking them out would search all of it.
for _ = 1, 1000 do
  local key = redis.call('LPOP', WAITING:format(queue))
  if not key then return #answer > 1 and answer or {'empty'} end
  local id = JOB:format(key)
  if redis.call('HGET', id, 'status') == 'queued' then
    move(key, 'active')
    redis.call('HINCRBY', id, 'attempts', 1)
    redis.call('HSET', id, 'claim', claim, 'worker', worker, 'started_at', whole(now()))
    redis.call('SADD', HELD:format(worker, queue), key)
    table.insert(answer, {key, unpack(redis.call('HGETALL', id))})
    if #answer > wanted then return answer end
  end
end
return #answer > 1 and answer or {'again'}
