-- key -> its status after this; false when there is no such job
-- A running job is marked: its worker reads the mark with its next beat.
local id = JOB:format(ARGV[1])
local status = redis.call('HGET', id, 'status')
if status == 'queued' or status == 'scheduled' then
  finish(ARGV[1], 'cancelled')
  return 'cancelled'
end
if status == 'active' then
  redis.call('HSET', id, 'cancel', 1)
end
return status
