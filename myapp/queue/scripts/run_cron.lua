-- cron, key, request id, then field, value, ... for the job's hash -> 1
local name, key, request = unpack(ARGV)
enqueue(key, 0, request, '', {unpack(ARGV, 4)})
redis.call('HSET', JOB:format(key), 'cron', name)
redis.call('HSET', CRON:format(name),
  'last_run_at', whole(now()), 'last_key', key, 'last_status', 'queued')
return 1
