-- key, claim, error, delay -> 1, or 0: no longer its holder
local key, claim, message, delay = unpack(ARGV)
if not holds(key, claim) then return 0 end
add_error(key, message)
release(key)
if is_cancelled(key) then
  finish(key, 'cancelled')
else
  redis.call('HDEL', JOB:format(key), 'worker', 'started_at')
  postpone(key, now() + delay)
end
return 1
