-- Count one wrong key from an address.
--
-- KEYS     the address's counter
-- ARGV     the window in ms
-- Returns  wrong keys in this window, this one included

local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return count
