-- Take from one scope's buckets what was granted while Valkey was away, so that nothing is granted twice.
--
-- KEYS     the scope's buckets
-- ARGV     number of limiters L, for each limiter its field, its window in ms, its size, and what is missing from it
-- Returns  the clock in ms

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stored_at = redis.call('HGET', KEYS[1], 'at')
local elapsed = stored_at and math.max(0, now - tonumber(stored_at)) or 0
local write, full = {'at', now}, 0
for n = 1, tonumber(ARGV[1]) do
  local field, window = ARGV[4 * n - 2], tonumber(ARGV[4 * n - 1])
  local size, missing = tonumber(ARGV[4 * n]), tonumber(ARGV[4 * n + 1])
  local stored = redis.call('HGET', KEYS[1], field)
  local level = (stored and math.min(size, tonumber(stored) + elapsed * size / window) or size) - missing
  write[#write + 1] = field
  write[#write + 1] = string.format('%.3f', level)
  full = math.max(full, (size - level) * window / size)
end
if #write > 2 then
  redis.call('HSET', KEYS[1], unpack(write))
  redis.call('PEXPIRE', KEYS[1], math.ceil(full) + 1000)
end
return now
