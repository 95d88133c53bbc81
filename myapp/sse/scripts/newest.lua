-- seen (epoch, ms, n), fresh epoch, key of a stream, place to read before or +, limit, age
-- -> {epoch, ms, n, quiet for, entries, the newest first}
-- The place that it answers with is that of the newest event of all.
local key, before, limit, age = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local place = find_order(unpack(ARGV, 1, 4))
local at = math.max(now(), place.ms)
local entries = redis.call('XREVRANGE', key, before, whole(at - age), 'COUNT', limit)
return {place.epoch, whole(place.ms), whole(place.n), whole(at - place.ms), entries}
