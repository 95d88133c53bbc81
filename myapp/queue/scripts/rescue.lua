-- worker, the beat that it stopped at -> jobs queued again, or false: it lives, or it was rescued
if redis.call('SISMEMBER', WORKERS, ARGV[1]) == 0 then return false end
if (redis.call('HGET', WORKER:format(ARGV[1]), 'beat') or '-1') ~= ARGV[2] then return false end
return disband(ARGV[1], rescue)
