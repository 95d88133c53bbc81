-- What the scripts share. The names of keys come from keys.py as locals in front of this text.

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua would write a large number as 1.7e+12.
local function whole(number)
  return string.format('%.0f', number)
end

local function is_after(ms, n, other_ms, other_n)
  return ms > other_ms or (ms == other_ms and n > other_n)
end

-- A message is a line of epoch, ms, n, user and type, and then the event's data.
local function announce(channel, place, user, type, data)
  local head = place.epoch .. ' ' .. whole(place.ms) .. ' ' .. whole(place.n)
  redis.call('PUBLISH', channel, head .. ' ' .. user .. ' ' .. type .. '\n' .. data)
end

local function first_place(key)
  local first = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
  if first then
    local ms, n = first[1]:match('(%d+)-(%d+)')
    return tonumber(ms), tonumber(n)
  end
end

-- Whether the event of this place is gone while older ones are still there.
local function is_missing(ms, n)
  local id = whole(ms) .. '-' .. whole(n)
  if #redis.call('XRANGE', EVERYTHING, id, id) > 0 then return false end
  local first_ms, first_n = first_place(EVERYTHING)
  return first_ms and is_after(ms, n, first_ms, first_n)
end

local function keep_order(place)
  redis.call('HSET', ORDER, 'epoch', place.epoch, 'ms', whole(place.ms), 'n', whole(place.n))
end

-- The place of the newest event of all, or the beginning of the epoch.
-- `seen_*` is a place that was taken, as the caller knows. Where it is not known here, Redis has
-- lost its newest data: the order begins a new epoch, and no id of the old one counts.
local function find_order(seen_epoch, seen_ms, seen_n, fresh_epoch)
  local epoch, ms, n, begin = unpack(redis.call('HMGET', ORDER, 'epoch', 'ms', 'n', 'begin'))
  ms, n, seen_ms, seen_n = tonumber(ms or 0), tonumber(n or 0), tonumber(seen_ms), tonumber(seen_n)
  local is_newest = ms == seen_ms and n == seen_n
  -- Where an epoch begins there is a place, and no event that could be missing.
  local is_begin = seen_n == 0 and whole(seen_ms) == begin
  local is_lost = epoch == seen_epoch and not (is_newest or is_begin)
    and (is_after(seen_ms, seen_n, ms, n) or is_missing(seen_ms, seen_n))
  if epoch and not is_lost then
    return {epoch = epoch, ms = ms, n = n}
  end
  local place = {epoch = fresh_epoch, ms = math.max(now(), ms + 1, seen_ms + 1), n = 0}
  keep_order(place)
  redis.call('HSET', ORDER, 'begin', whole(place.ms))
  announce(ALL, place, '-', '-', '')
  announce(EVERYTHING, place, '-', '-', '')
  return place
end

-- Takes the next place in the one order of all events, whatever the clock does. Streams share it,
-- so that two events of one millisecond are never mistaken for each other.
local function take_place(last)
  local at = now()
  local place = {epoch = last.epoch, ms = math.max(at, last.ms), n = 0}
  if place.ms == last.ms then
    place.n = last.n + 1
  end
  keep_order(place)
  return place
end
