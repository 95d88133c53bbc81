-- lease in milliseconds, then user, stream, ...
-- A lease that was lost with Redis' data is taken anew.
local at = now()
for index = 2, #ARGV, 2 do
  local key = LEASES:format(ARGV[index])
  redis.call('ZADD', key, whole(at + ARGV[1]), ARGV[index + 1])
  redis.call('PEXPIRE', key, ARGV[1])
end
