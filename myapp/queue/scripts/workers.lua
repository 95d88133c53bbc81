-- longest silence (ms) -> {{record (JSON), silence (ms), {key, task, queue, start of the attempt}
-- of each job that it runs ...}, ...}
local answer = {}
for _, worker in ipairs(redis.call('SMEMBERS', WORKERS)) do
  local record, seen, queues =
    unpack(redis.call('HMGET', WORKER:format(worker), 'record', 'seen_at', 'queues'))
  local silence = record and now() - seen
  if record and silence <= tonumber(ARGV[1]) then
    local row = {record, silence}
    for queue in queues:gmatch('[^,]+') do
      for _, key in ipairs(redis.call('SMEMBERS', HELD:format(worker, queue))) do
        local task, began = unpack(redis.call('HMGET', JOB:format(key), 'task', 'started_at'))
        if began then
          table.insert(row, {key, task, queue, began})
        end
      end
    end
    table.insert(answer, row)
  end
end
return answer
