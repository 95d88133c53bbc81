-- cron, tick, next tick, key, then field, value, ... -> 1 fired, 0 passed over (paused, or the
-- key was taken), false: somebody else saw to this tick
-- Taking the tick and queueing its job is one step: neither can happen alone.
local id = CRON:format(ARGV[1])
local due, paused = unpack(redis.call('HMGET', id, 'next', 'paused'))
if due ~= ARGV[2] then return false end
redis.call('HSET', id, 'next', ARGV[3])
if paused then return 0 end
local key = ARGV[4]
if enqueue(key, 0, '', '', {unpack(ARGV, 5)}) == 0 then return 0 end
redis.call('HSET', JOB:format(key), 'cron', ARGV[1])
redis.call('HSET', id, 'last_run_at', whole(now()), 'last_key', key, 'last_status', 'queued')
return 1
