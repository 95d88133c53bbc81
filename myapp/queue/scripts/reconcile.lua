-- queue, worker, keys of the jobs that it knows it holds -> how many others were put back
local known = {}
for i = 3, #ARGV do known[ARGV[i]] = true end
return take_from(ARGV[2], ARGV[1], known, put_back)
