-- Count what a failed attempt cost while its request goes on, and append its usage event.
--
-- KEYS     the event stream, then for each budget its counter, as in admit.lua
-- ARGV     usage event, attempt id, cost in nanodollars, for each budget its amount in nanodollars
-- Returns  1 = what is reserved for the request still fits, 0 = it does not

redis.call('XADD', KEYS[1], '*', 'event', ARGV[1])
local attempt, cost, fits = ARGV[2], tonumber(ARGV[3]), 1
for n = 2, #KEYS do
  local counted = redis.call('HMGET', KEYS[n], 's', 'r', 'audit')
  if cost > 0 and counted[1] then
    redis.call('HINCRBY', KEYS[n], 's', cost)
  end
  if cost > 0 and counted[3] then
    redis.call('HSET', KEYS[n], 'b:' .. attempt, cost)
  end
  if counted[1] and tonumber(counted[1]) + cost + tonumber(counted[2] or 0) > tonumber(ARGV[2 + n]) then
    fits = 0
  end
end
return fits
