-- Settle one admitted request: free its leases, correct its reservation, and append its usage event.
--
-- KEYS     the event stream, then for each scope its buckets and its leases, as in admit.lua
-- ARGV     lease id, usage event ('' = none), reserved input and output tokens, actual input and output tokens,
--          then five limits for each scope as in admit.lua
-- Returns  1 if the reservation was still held, 0 if it had been settled or had expired
--
-- May be sent twice: the reservation is corrected only while the lease is held, and the ledger knows an
-- attempt by its id.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease = ARGV[1]
local reserved_input, reserved_output = tonumber(ARGV[3]), tonumber(ARGV[4])
local input, output = tonumber(ARGV[5]), tonumber(ARGV[6])
local reserved = {1, reserved_input + reserved_output, reserved_input, reserved_output}
local actual = {1, input + output, input, output}
local fields = {'r', 't', 'i', 'o'}

if ARGV[2] ~= '' then
  redis.call('XADD', KEYS[1], '*', 'event', ARGV[2])
end

local held = 0
for scope = 1, (#KEYS - 1) / 2 do
  local buckets, leases, first = KEYS[scope * 2], KEYS[scope * 2 + 1], 6 + (scope - 1) * 5
  local released = redis.call('ZREM', leases, lease)
  if scope == 1 then
    held = released
  end
  if held == 1 then
    local stored = redis.call('HMGET', buckets, 'at', 'r', 't', 'i', 'o')
    local elapsed = stored[1] and math.max(0, now - tonumber(stored[1])) or 0
    local write, full, changed = {'at', now}, 0, false
    for n = 1, 4 do
      local size = tonumber(ARGV[first + n])
      if size > 0 then
        local level = stored[n + 1] and math.min(size, tonumber(stored[n + 1]) + elapsed * size / 60000) or size
        local back = math.min(reserved[n], size) - actual[n]
        if n > 1 and back ~= 0 then
          level = math.min(size, level + back)
          changed = true
        end
        write[#write + 1] = fields[n]
        write[#write + 1] = string.format('%.3f', level)
        full = math.max(full, (size - level) * 60000 / size)
      end
    end
    if changed then
      redis.call('HSET', buckets, unpack(write))
      redis.call('PEXPIRE', buckets, math.ceil(full) + 1000)
    end
  end
end
return held
