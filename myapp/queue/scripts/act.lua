-- action (retry, cancel or delete), statuses that it applies to (JSON), then keys
-- -> for each key the status that the job had, or '' when there is no such job
local applies = {}
for _, status in ipairs(cjson.decode(ARGV[2])) do applies[status] = true end
local act = {}

-- Attempts start over, and what went wrong before stays to be read.
function act.retry(key)
  local id = JOB:format(key)
  local queue, errors, cron = unpack(redis.call('HMGET', id, 'queue', 'errors', 'cron'))
  redis.call('ZREM', EXPIRY:format(queue), key)
  redis.call('HDEL', id,
    'worker', 'started_at', 'finished_at', 'scheduled_at', 'result', 'rescues', 'cancel')
  redis.call('HSET', id, 'attempts', 0)
  if errors then
    redis.call('HSET', id, 'errors', newest_errors(errors))
  end
  if cron and redis.call('HGET', CRON:format(cron), 'last_key') == key then
    redis.call('HSET', CRON:format(cron), 'last_status', 'queued')
  end
  make_ready(key, 'RPUSH')
end

-- A running job is marked: its worker reads the mark with its next beat.
function act.cancel(key, status)
  if status == 'active' then
    redis.call('HSET', JOB:format(key), 'cancel', 1)
  else
    finish(key, 'cancelled')
  end
end

-- Who queues a job of this key again, not knowing that it was queued, must not bring it back.
function act.delete(key)
  if redis.call('HEXISTS', JOB:format(key), 'once') == 1 then
    redis.call('SET', ONCE:format(key), 1, 'PX', DAY)
  end
  forget(key)
end

local before = {}
for i = 3, #ARGV do
  local status = redis.call('HGET', JOB:format(ARGV[i]), 'status') or ''
  if applies[status] then act[ARGV[1]](ARGV[i], status) end
  table.insert(before, status)
end
return before
