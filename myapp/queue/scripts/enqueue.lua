-- key, delay, request id, once, then field, value, ... -> 1, or 0 when the key is taken
return enqueue(ARGV[1], ARGV[2], ARGV[3], ARGV[4], {unpack(ARGV, 5)})
