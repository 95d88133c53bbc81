-- queue, cap of complete jobs, limit -> how many were forgotten
return trim(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
