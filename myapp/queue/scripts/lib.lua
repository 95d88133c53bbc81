-- What the scripts share. Each script is atomic: whoever dies, a job is in exactly one place.
-- The names of keys come from keys.py as locals in front of this text.

local DAY = 24 * 3600 * 1000
-- A job that took its worker down this often is taken for the cause.
local RESCUES_MAX = 10
-- So many of a job's errors, the newest, go along when it is queued again.
local ERRORS_KEPT = 20
local ENDED = {complete = true, failed = true, cancelled = true}

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua would write a large number as 1.7e+12.
local function whole(number)
  return string.format('%.0f', number)
end

local function unindex(key, queue, task, status)
  redis.call('ZREM', BY_STATUS:format(queue, status), key)
  redis.call('ZREM', BY_TASK:format(queue, status, task), key)
end

-- Gives a job a status, in its hash and in the indexes at once; returns its queue.
local function move(key, status)
  local id = JOB:format(key)
  local queue, task, old = unpack(redis.call('HMGET', id, 'queue', 'task', 'status'))
  if old then
    unindex(key, queue, task, old)
  end
  redis.call('HSET', id, 'status', status)
  redis.call('ZADD', BY_STATUS:format(queue, status), whole(now()), key)
  redis.call('ZADD', BY_TASK:format(queue, status, task), whole(now()), key)
  return queue
end

local function make_ready(key, push)
  redis.call(push, WAITING:format(move(key, 'queued')), key)
end

local function postpone(key, due)
  redis.call('HSET', JOB:format(key), 'scheduled_at', whole(due))
  redis.call('ZADD', DUE:format(move(key, 'scheduled')), whole(due), key)
end

local function forget(key)
  local id = JOB:format(key)
  local queue, task, status, request =
    unpack(redis.call('HMGET', id, 'queue', 'task', 'status', 'request_id'))
  if not queue then return end
  unindex(key, queue, task, status)
  redis.call('ZREM', DUE:format(queue), key)
  redis.call('ZREM', EXPIRY:format(queue), key)
  if request then
    redis.call('ZREM', REQUESTS:format(queue), request .. ' ' .. key)
  end
  redis.call('DEL', id)
end

-- Forgets at most `limit` jobs of a queue: those whose time is over and the oldest complete ones
-- beyond `cap`. Returns how many.
local function trim(queue, cap, limit)
  local count = 0
  local expiry = EXPIRY:format(queue)
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', whole(now()), 'LIMIT', 0, limit)) do
    forget(key)
    redis.call('ZREM', expiry, key)
    count = count + 1
  end
  local complete = BY_STATUS:format(queue, 'complete')
  local excess = math.min(redis.call('ZCARD', complete) - cap, limit)
  if excess > 0 then
    for _, key in ipairs(redis.call('ZRANGE', complete, 0, excess - 1)) do
      forget(key)
      redis.call('ZREM', complete, key)
      count = count + 1
    end
  end
  return count
end

local function newest_errors(errors)
  local lines = {}
  for line in errors:gmatch('[^\n]+') do table.insert(lines, line) end
  return table.concat(lines, '\n', math.max(1, #lines - ERRORS_KEPT + 1)) .. '\n'
end

-- Queues a job unless its key is taken: `job` is a list of field, value, ... for its hash.
-- It takes along what went wrong before under its key, unless that came to a good end.
local function enqueue(key, delay, request, once, job)
  local id = JOB:format(key)
  local status, errors = unpack(redis.call('HMGET', id, 'status', 'errors'))
  if (status and not ENDED[status]) or redis.call('EXISTS', ONCE:format(key)) == 1 then
    return 0
  end
  forget(key)
  redis.call('HSET', id, 'enqueued_at', whole(now()), 'attempts', 0, unpack(job))
  if errors and status ~= 'complete' then
    redis.call('HSET', id, 'errors', newest_errors(errors))
  end
  if once ~= '' then
    redis.call('HSET', id, 'once', 1)
  end
  if request ~= '' then
    redis.call('HSET', id, 'request_id', request)
    redis.call('ZADD', REQUESTS:format(redis.call('HGET', id, 'queue')), 0, request .. ' ' .. key)
  end
  if tonumber(delay) > 0 then
    postpone(key, now() + delay)
  else
    make_ready(key, 'RPUSH')
  end
  return 1
end

-- Ends a job: complete, failed or cancelled.
local function finish(key, status)
  local id = JOB:format(key)
  local queue = move(key, status)
  local keep, once, cron =
    unpack(redis.call('HMGET', id, status == 'failed' and 'keep_failed' or 'keep', 'once', 'cron'))
  redis.call('HSET', id, 'finished_at', whole(now()))
  redis.call('HDEL', id, 'cancel')
  redis.call('ZREM', DUE:format(queue), key)
  redis.call('ZADD', EXPIRY:format(queue), whole(now() + keep), key)
  if once then
    redis.call('SET', ONCE:format(key), 1, 'PX', DAY)
  end
  if cron and redis.call('HGET', CRON:format(cron), 'last_key') == key then
    redis.call('HSET', CRON:format(cron), 'last_status', status)
  end
end

local function add_error(key, text)
  local id = JOB:format(key)
  local errors, attempt = unpack(redis.call('HMGET', id, 'errors', 'attempts'))
  local entry = {attempt = tonumber(attempt), at = now(), error = text}
  redis.call('HSET', id, 'errors', (errors or '') .. cjson.encode(entry) .. '\n')
end

-- Whether this very claim of the job still stands: each has a number of its own, also among those
-- of other jobs that had this key before.
local function holds(key, claim)
  local status, current = unpack(redis.call('HMGET', JOB:format(key), 'status', 'claim'))
  return status == 'active' and current == claim
end

local function release(key)
  local worker, queue = unpack(redis.call('HMGET', JOB:format(key), 'worker', 'queue'))
  redis.call('SREM', HELD:format(worker, queue), key)
end

local function is_cancelled(key)
  return redis.call('HEXISTS', JOB:format(key), 'cancel') == 1
end

-- Takes a job from its worker and puts it at the front; the attempt does not count.
local function put_back(key)
  release(key)
  if is_cancelled(key) then
    return finish(key, 'cancelled')
  end
  redis.call('HINCRBY', JOB:format(key), 'attempts', -1)
  redis.call('HDEL', JOB:format(key), 'worker', 'started_at')
  make_ready(key, 'LPUSH')
end

-- The same for a worker that died, as an error that shows.
local function rescue(key, worker)
  add_error(key, 'Worker ' .. worker .. ' died')
  if redis.call('HINCRBY', JOB:format(key), 'rescues', 1) < RESCUES_MAX then
    return put_back(key)
  end
  release(key)
  finish(key, 'failed')
end

-- Gives each job that a worker holds from a queue, but those in `known`, to `take`; returns how
-- many. A job that was lost from outside must not keep the others.
local function take_from(worker, queue, known, take)
  local count = 0
  local held = HELD:format(worker, queue)
  for _, key in ipairs(redis.call('SMEMBERS', held)) do
    if not known[key] then
      local status, holder = unpack(redis.call('HMGET', JOB:format(key), 'status', 'worker'))
      if status == 'active' and holder == worker then
        take(key, worker)
        count = count + 1
      end
      redis.call('SREM', held, key)
    end
  end
  return count
end

-- Ends a worker's membership: every job that it holds goes to `take`. Returns how many.
local function disband(worker, take)
  local count = 0
  local queues = redis.call('HGET', WORKER:format(worker), 'queues') or ''
  for queue in queues:gmatch('[^,]+') do
    count = count + take_from(worker, queue, {}, take)
  end
  redis.call('DEL', WORKER:format(worker))
  redis.call('SREM', WORKERS, worker)
  return count
end
