-- Tell a counter what was spent and reserved while Valkey was away, if Valkey still has it; else an audit finds out.
--
-- KEYS     the counter, as in admit.lua
-- ARGV     a name for this, nanodollars spent, then for each open request its lease and the nanodollars reserved
-- Returns  1 if the counter is there

if not redis.call('HGET', KEYS[1], 's') then
  return 0
end
redis.call('HINCRBY', KEYS[1], 's', ARGV[2])
if redis.call('HGET', KEYS[1], 'audit') then
  redis.call('HSET', KEYS[1], 'b:' .. ARGV[1], ARGV[2])
end
for n = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], 'r', ARGV[n + 1])
  redis.call('HSET', KEYS[1], ARGV[n], ARGV[n + 1])
end
return 1
