-- process, its open streams, lifetime in milliseconds
redis.call('HSET', OPEN, ARGV[1], ARGV[2] .. ' ' .. whole(now() + ARGV[3]))
