-- -> the open streams of all processes; those that have not reported for long are forgotten
local total, at = 0, now()
local reports = redis.call('HGETALL', OPEN)
for index = 1, #reports, 2 do
  local count, expiry = reports[index + 1]:match('(%d+) (%d+)')
  if tonumber(expiry) > at then
    total = total + count
  else
    redis.call('HDEL', OPEN, reports[index])
  end
end
return total
