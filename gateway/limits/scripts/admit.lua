-- Admit one request under all its limits, or under none. All keys share the organization's hash slot.
--
-- KEYS     for each scope, the widest first: its buckets (hash) and its leases (sorted set)
-- ARGV     lease id, lease lifetime in ms, estimated input tokens, estimated output tokens,
--          then for each scope: requests, tokens, input tokens, output tokens a minute, concurrent requests
--          (0 = no limit)
-- Returns  admitted (1/0), scope and limit that refuse (from 1), ms until it would fit, the clock in ms,
--          then for each scope the levels of its four buckets and its number of leases
--
-- A bucket holds one minute's worth and refills continuously. A reservation never exceeds the bucket, and
-- settlement may leave it in debt. An absent bucket is full, so state may expire once it is full again.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease, lifetime = ARGV[1], tonumber(ARGV[2])
local input, output = tonumber(ARGV[3]), tonumber(ARGV[4])
local needed = {1, input + output, input, output}
local fields = {'r', 't', 'i', 'o'}

local reply = {1, 0, 0, 0, now}
local longest = -1
local levels = {}

local function refuse(scope, limit, wait)
  if wait > longest then
    longest = wait
    reply[1], reply[2], reply[3], reply[4] = 0, scope, limit, math.ceil(wait)
  end
end

for scope = 1, #KEYS / 2 do
  local buckets, leases, first = KEYS[scope * 2 - 1], KEYS[scope * 2], 4 + (scope - 1) * 5
  local stored = redis.call('HMGET', buckets, 'at', 'r', 't', 'i', 'o')
  local elapsed = stored[1] and math.max(0, now - tonumber(stored[1])) or 0
  levels[scope] = {}
  for n = 1, 4 do
    local size = tonumber(ARGV[first + n])
    local level = 0
    if size > 0 then
      level = stored[n + 1] and math.min(size, tonumber(stored[n + 1]) + elapsed * size / 60000) or size
      local want = math.min(needed[n], size)
      if level < want - 0.000001 then
        refuse(scope, n, (want - level) * 60000 / size)
      end
      levels[scope][n] = level - want
    end
    reply[#reply + 1] = math.floor(level)
  end
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', now)
  local held, most = redis.call('ZCARD', leases), tonumber(ARGV[first + 5])
  if most > 0 and held >= most then
    refuse(scope, 5, 1000)
  end
  reply[#reply + 1] = held
end

if reply[1] == 0 then
  return reply
end

for scope = 1, #KEYS / 2 do
  local buckets, leases, first = KEYS[scope * 2 - 1], KEYS[scope * 2], 4 + (scope - 1) * 5
  local write, full = {'at', now}, 0
  for n = 1, 4 do
    local level = levels[scope][n]
    if level then
      local size = tonumber(ARGV[first + n])
      write[#write + 1] = fields[n]
      write[#write + 1] = string.format('%.3f', level)
      full = math.max(full, (size - level) * 60000 / size)
      reply[5 + (scope - 1) * 5 + n] = math.floor(level)
    end
  end
  if full > 0 then
    redis.call('HSET', buckets, unpack(write))
    redis.call('PEXPIRE', buckets, math.ceil(full) + 1000)
  end
  if scope == 1 or tonumber(ARGV[first + 5]) > 0 then
    redis.call('ZADD', leases, now + lifetime, lease)
    redis.call('PEXPIRE', leases, lifetime + 1000)
  end
end
return reply
