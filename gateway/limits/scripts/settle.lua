-- Settle one admitted request: free its lease and places, correct its reservation, and append its usage event.
--
-- KEYS     the event stream, then as in admit.lua: open leases, buckets and places of each scope, counters
-- ARGV     lease id, usage event ('' = none), attempt id, 1 = this may have been done before,
--          number of scopes S and of limiters L, fields, windows, sizes as in admit.lua,
--          L reserved amounts, L actual amounts, cost in nanodollars
-- Returns  1 if the reservation was still held, 0 if it had been settled or had expired
--
-- May be sent twice: a reservation is corrected only while its lease is held, and the ledger knows an attempt by its id.
-- What was spent counts also where the counter has forgotten the lease, save where this may have been done before.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease, attempt, again = ARGV[1], ARGV[3], ARGV[4] == '1'
local scopes, limiters = tonumber(ARGV[5]), tonumber(ARGV[6])
local sizes = 6 + 2 * limiters
local reserved = sizes + scopes * (limiters + 1)
local actual = reserved + limiters
local cost = tonumber(ARGV[actual + limiters + 1])

if ARGV[2] ~= '' then
  redis.call('XADD', KEYS[1], '*', 'event', ARGV[2])
end
local held = redis.call('ZREM', KEYS[2], lease)

local fields = {'at'}
for n = 1, limiters do
  fields[n + 1] = ARGV[5 + 2 * n]
end

for scope = 1, scopes do
  local buckets, places, first = KEYS[scope * 2 + 1], KEYS[scope * 2 + 2], sizes + (scope - 1) * (limiters + 1)
  if tonumber(ARGV[first + limiters + 1]) > 0 then
    redis.call('ZREM', places, lease)
  end
  if held == 1 and limiters > 0 then
    local stored = redis.call('HMGET', buckets, unpack(fields))
    local elapsed = stored[1] and math.max(0, now - tonumber(stored[1])) or 0
    local write, full, changed = {'at', now}, 0, false
    for n = 1, limiters do
      local size, window = tonumber(ARGV[first + n]), tonumber(ARGV[6 + 2 * n])
      if size > 0 then
        local level = stored[n + 1] and math.min(size, tonumber(stored[n + 1]) + elapsed * size / window) or size
        local back = math.min(tonumber(ARGV[reserved + n]), size) - tonumber(ARGV[actual + n])
        if back ~= 0 then
          level = math.min(size, level + back)
          changed = true
        end
        write[#write + 1] = fields[n + 1]
        write[#write + 1] = string.format('%.3f', level)
        full = math.max(full, (size - level) * window / size)
      end
    end
    if changed then
      redis.call('HSET', buckets, unpack(write))
      redis.call('PEXPIRE', buckets, math.ceil(full) + 1000)
    end
  end
end

for n = scopes * 2 + 3, #KEYS do
  local counted = redis.call('HMGET', KEYS[n], lease, 's', 'audit')
  if counted[1] then
    redis.call('HDEL', KEYS[n], lease)
    redis.call('HINCRBY', KEYS[n], 'r', '-' .. counted[1])
  end
  if cost > 0 and (counted[1] or not again) then
    if counted[2] then
      redis.call('HINCRBY', KEYS[n], 's', cost)
    end
    if counted[3] then
      redis.call('HSET', KEYS[n], 'b:' .. attempt, cost)
    end
  end
end
return held
