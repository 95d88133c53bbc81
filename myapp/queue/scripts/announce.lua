-- cron, schedule, next tick -> the next tick that stands; a new schedule starts afresh
local id = CRON:format(ARGV[1])
if redis.call('HGET', id, 'schedule') ~= ARGV[2] then
  redis.call('HSET', id, 'schedule', ARGV[2], 'next', ARGV[3])
end
return redis.call('HGET', id, 'next')
