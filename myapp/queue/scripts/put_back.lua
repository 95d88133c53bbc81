-- key, claim -> 1, or 0: no longer its holder
if not holds(ARGV[1], ARGV[2]) then return 0 end
put_back(ARGV[1])
return 1
