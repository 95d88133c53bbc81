-- user, stream
redis.call('ZREM', LEASES:format(ARGV[1]), ARGV[2])
