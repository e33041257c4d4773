-- End an audit: what was spent is what was found, and what was settled meanwhile. Reservations of dead leases go.
--
-- KEYS     the counter, as in admit.lua; the leases of its organization's open requests
-- ARGV     token of this audit, nanodollars found
-- Returns  1, how far off the counter was (0 where it was not known) and how many reservations of dead leases there were;
--          three times 0 if the audit was abandoned

local counter = KEYS[1]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if redis.call('HGET', counter, 'audit') ~= ARGV[1] then
  return {0, 0, 0}
end

local before = redis.call('HGET', counter, 's')
local spent, reserved, leaked = tonumber(ARGV[2]), 0, 0
local own = {s = true, r = true, audit = true, audit_at = true, audited = true}
local stored = redis.call('HGETALL', counter)
for n = 1, #stored, 2 do
  local field, value = stored[n], tonumber(stored[n + 1])
  if string.sub(field, 1, 2) == 'b:' then
    spent = spent + value
    redis.call('HDEL', counter, field)
  elseif not own[field] then
    local deadline = redis.call('ZSCORE', KEYS[2], field)
    if deadline and tonumber(deadline) > now then
      reserved = reserved + value
    else
      redis.call('HDEL', counter, field)
      leaked = leaked + 1
    end
  end
end
redis.call('HDEL', counter, 'audit', 'audit_at')
redis.call('HSET', counter, 's', spent, 'r', reserved, 'audited', now)
return {1, before and spent - tonumber(before) or 0, leaked}
