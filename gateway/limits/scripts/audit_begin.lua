-- Begin to count anew what was spent of a budget: from here on the counter notes each settlement apart.
--
-- KEYS     the counter, as in admit.lua; the event stream of its organization
-- ARGV     token of this audit, ms after which another's counts as abandoned, ms for which an audit is good enough,
--          when the counter may go (Unix time in ms, 0 = never)
-- Returns  1 and the last entry of the stream: what was settled until now is in the ledger or at most there;
--          0 if an audit is under way, 2 if there was one lately (and an empty text)

local counter = KEYS[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stored = redis.call('HMGET', counter, 'audit_at', 'audited', 's')
if stored[1] and now - tonumber(stored[1]) < tonumber(ARGV[2]) then
  return {0, ''}
end
if stored[3] and stored[2] and now - tonumber(stored[2]) < tonumber(ARGV[3]) then
  return {2, ''}
end
for _, field in ipairs(redis.call('HKEYS', counter)) do
  if string.sub(field, 1, 2) == 'b:' then
    redis.call('HDEL', counter, field)
  end
end
redis.call('HSET', counter, 'audit', ARGV[1], 'audit_at', now)
if tonumber(ARGV[4]) > 0 then
  redis.call('PEXPIREAT', counter, ARGV[4])
else
  redis.call('PERSIST', counter)
end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
return {1, last and last[1] or '0-0'}
