-- worker -> jobs put back
return disband(ARGV[1], put_back)
