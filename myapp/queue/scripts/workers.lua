-- longest silence (ms) -> {{record (JSON), keys of the jobs that it runs ...}, ...}
local answer = {}
for _, worker in ipairs(redis.call('SMEMBERS', WORKERS)) do
  local record, seen, queues =
    unpack(redis.call('HMGET', WORKER:format(worker), 'record', 'seen_at', 'queues'))
  if record and now() - seen <= tonumber(ARGV[1]) then
    local row = {record}
    for queue in queues:gmatch('[^,]+') do
      for _, key in ipairs(redis.call('SMEMBERS', HELD:format(worker, queue))) do
        table.insert(row, key)
      end
    end
    table.insert(answer, row)
  end
end
return answer
