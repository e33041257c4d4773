-- Keep the leases of a request that is still running; where Valkey forgot them, it has them again.
--
-- KEYS     the leases of the organization's open requests, then for each scope that has them its places
-- ARGV     lease id, lease lifetime in ms
-- Returns  nothing of interest

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lifetime = tonumber(ARGV[2])
for n = 1, #KEYS do
  redis.call('ZADD', KEYS[n], now + lifetime, ARGV[1])
  redis.call('PEXPIRE', KEYS[n], lifetime + 1000)
end
return 1
