-- worker, record (JSON) -> false when it was given up, else
-- {{keys of its jobs to cancel}, {worker, beat, ... of all workers}}
local worker, record = unpack(ARGV)
local me = WORKER:format(worker)
if redis.call('EXISTS', me) == 0 then return false end
redis.call('HINCRBY', me, 'beat', 1)
redis.call('HSET', me, 'record', record, 'seen_at', whole(now()))
local cancels, beats = {}, {}
for queue in redis.call('HGET', me, 'queues'):gmatch('[^,]+') do
  for _, key in ipairs(redis.call('SMEMBERS', HELD:format(worker, queue))) do
    if is_cancelled(key) then table.insert(cancels, key) end
  end
end
for _, other in ipairs(redis.call('SMEMBERS', WORKERS)) do
  table.insert(beats, other)
  table.insert(beats, redis.call('HGET', WORKER:format(other), 'beat') or '-1')
end
return {cancels, beats}
