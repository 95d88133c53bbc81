-- worker, queues (with commas), record (JSON)
redis.call('SADD', WORKERS, ARGV[1])
redis.call('HSET', WORKER:format(ARGV[1]),
  'beat', 0, 'queues', ARGV[2], 'record', ARGV[3], 'seen_at', whole(now()))
return 1
