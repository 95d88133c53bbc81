-- cron, next tick as it was seen, next tick to be, that one's key -> 1, or false: somebody else saw
-- to it, or the tick to be has fired or is past. Then it is the caller's clock that is wrong.
local id = CRON:format(ARGV[1])
if redis.call('HGET', id, 'next') ~= ARGV[2] then return false end
if redis.call('EXISTS', JOB:format(ARGV[4])) == 1 or ARGV[3] * 1000 <= now() then return false end
redis.call('HSET', id, 'next', ARGV[3])
return 1
