-- key, claim, status, result (JSON), error, cap of complete jobs -> 1, or 0: no longer its holder
local key, claim, status, result, message, cap = unpack(ARGV)
if not holds(key, claim) then return 0 end
if message ~= '' then add_error(key, message) end
if result ~= '' then redis.call('HSET', JOB:format(key), 'result', result) end
release(key)
finish(key, status)
trim(redis.call('HGET', JOB:format(key), 'queue'), tonumber(cap), 2)
return 1
