-- user, stream, lease in milliseconds, limit -> 1, or 0 when the user has so many streams open
local key = LEASES:format(ARGV[1])
local at = now()
redis.call('ZREMRANGEBYSCORE', key, '-inf', whole(at))
if redis.call('ZCARD', key) >= tonumber(ARGV[4]) then
  return 0
end
redis.call('ZADD', key, whole(at + ARGV[3]), ARGV[2])
redis.call('PEXPIRE', key, ARGV[3])
return 1
