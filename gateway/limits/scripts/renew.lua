-- Keep the leases of a request that is still running.
--
-- KEYS     for each scope its leases
-- ARGV     lease id, lease lifetime in ms
-- Returns  1 if the lease is held

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lifetime = tonumber(ARGV[2])
local held = 0
for scope = 1, #KEYS do
  if redis.call('ZSCORE', KEYS[scope], ARGV[1]) then
    redis.call('ZADD', KEYS[scope], now + lifetime, ARGV[1])
    redis.call('PEXPIRE', KEYS[scope], lifetime + 1000)
    held = 1
  end
end
return held
