-- Ask to be the one whose attempt finds out whether a circuit may close again.
--
-- KEYS[1]  the circuit (hash), as in circuit.lua
-- ARGV     ms after which a probe that brought no news is given up
-- Returns  1 = go ahead (also where nobody knows of an open circuit any more), 0 = it is open, or somebody is at it;
--          and the ms that it stays open

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stored = redis.call('HMGET', KEYS[1], 'open', 'probe')
local open, probe = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
if open > now then
  return {0, open - now}
end
if open == 0 then
  return {1, 0}
end
if probe > now then
  return {0, 0}
end
redis.call('HSET', KEYS[1], 'probe', now + tonumber(ARGV[1]))
return {1, 0}
