-- seen (epoch, ms, n), fresh epoch, user or -, type, data, once, its lifetime, cap, age
-- -> {epoch, ms, n}
-- Times are in milliseconds. What is appended once is not appended again, and has its old place.
local user, type, data, once, lifetime = unpack(ARGV, 5, 9)
local cap, age = tonumber(ARGV[10]), tonumber(ARGV[11])
local done = redis.call('GET', ONCE:format(once))
if done then
  return {done:match('(%S+) (%S+) (%S+)')}
end
local place = take_place(find_order(unpack(ARGV, 1, 4)))
local ms, n = whole(place.ms), whole(place.n)

-- One more than promised is kept: it shows how far back the rest is complete.
local function append(key)
  redis.call('XADD', key, ms .. '-' .. n, 'user', user, 'type', type, 'data', data)
  redis.call('XTRIM', key, 'MAXLEN', cap + 1)
  redis.call('XTRIM', key, 'MINID', whole(place.ms - age))
  redis.call('PEXPIRE', key, whole(2 * age))
end

local key = user == '-' and ALL or USER:format(user)
append(key)
append(EVERYTHING)
redis.call('SET', ONCE:format(once), place.epoch .. ' ' .. ms .. ' ' .. n, 'PX', lifetime)
announce(key, place, user, type, data)
announce(EVERYTHING, place, user, type, data)
return {place.epoch, ms, n}
