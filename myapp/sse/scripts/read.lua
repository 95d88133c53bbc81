-- epoch, ms, n to read after, fresh epoch, time until which there was nothing after it,
-- limit, cap, age, keys of streams
-- -> {epoch, ms, n, quiet for, entries of each key}, or without entries: it does not reach so far
-- The place that it answers with is that of the newest event of all.
local after_epoch, after_ms, after_n = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local limit, cap, age = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local place = find_order(unpack(ARGV, 1, 4))
local at = math.max(now(), place.ms)
local here = {place.epoch, whole(place.ms), whole(place.n), whole(at - place.ms)}
if after_epoch ~= place.epoch or tonumber(ARGV[5]) < at - age then
  return here
end
local answer = {unpack(here)}
local after = '(' .. ARGV[2] .. '-' .. ARGV[3]
for index = 9, #ARGV do
  local key = ARGV[index]
  if redis.call('XLEN', key) > cap then
    local first_ms, first_n = first_place(key)
    if is_after(first_ms, first_n, after_ms, after_n) then
      return here
    end
  end
  table.insert(answer, redis.call('XRANGE', key, after, '+', 'COUNT', limit))
end
return answer
