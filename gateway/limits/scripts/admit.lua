-- Admit one request under all its limits and budgets, or under none. All keys share the organization's hash slot.
--
-- KEYS     the leases of the organization's open requests (sorted set by deadline);
--          for each scope, the widest first: its buckets (hash) and its places (sorted set by deadline);
--          for each budget its counter (hash)
-- ARGV     lease id, lease lifetime in ms, 1 = nothing may be reserved that is larger than a bucket,
--          number of scopes S and of limiters L, for each limiter its field and its window in ms,
--          for each scope L sizes and its concurrent requests (0 = no limit),
--          L amounts, cost in nanodollars, for each budget its amount in nanodollars
-- Returns  1 = admitted
--          0 = a limit refuses: scope, limiter (L + 1 = concurrent requests), ms until it fits (-1 = never)
--          2 = a budget refuses: which, spent, reserved
--          3 = what was spent of a budget is not known: which
--          (three numbers in any case), the clock in ms, then for each scope L levels and the places held;
--          where places refuse, last the lease that holds the oldest place
--
-- A bucket holds one window's worth and refills continuously. Settlement may leave it in debt. An absent bucket
-- is full, so state may expire once it is full again.
-- A counter has `s`, what was spent, `r`, what is reserved in all, and for each open lease what it reserved.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease, lifetime, strict = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local scopes, limiters = tonumber(ARGV[4]), tonumber(ARGV[5])
local sizes = 5 + 2 * limiters
local amounts = sizes + scopes * (limiters + 1)
local cost = tonumber(ARGV[amounts + limiters + 1])
local budgets = amounts + limiters + 1

local fields = {'at'}
for n = 1, limiters do
  fields[n + 1] = ARGV[4 + 2 * n]
end

local reply = {1, 0, 0, 0, now}
local longest = -2
local levels = {}
local oldest

local function refuse(scope, limiter, wait)
  if longest ~= -1 and (wait > longest or wait == -1) then
    longest = wait
    reply[1], reply[2], reply[3], reply[4] = 0, scope, limiter, math.ceil(wait)
  end
end

for scope = 1, scopes do
  local buckets, places, first = KEYS[scope * 2], KEYS[scope * 2 + 1], sizes + (scope - 1) * (limiters + 1)
  local stored = limiters > 0 and redis.call('HMGET', buckets, unpack(fields)) or {}
  local elapsed = stored[1] and math.max(0, now - tonumber(stored[1])) or 0
  levels[scope] = {}
  for n = 1, limiters do
    local size, window, needed = tonumber(ARGV[first + n]), tonumber(ARGV[5 + 2 * n]), tonumber(ARGV[amounts + n])
    local level = 0
    if size > 0 then
      level = stored[n + 1] and math.min(size, tonumber(stored[n + 1]) + elapsed * size / window) or size
      local want = math.min(needed, size)
      if strict and needed > size then
        refuse(scope, n, -1)
      elseif want > 0 and level < want - 0.000001 then
        refuse(scope, n, (want - level) * window / size)
      end
      levels[scope][n] = level - want
    end
    reply[#reply + 1] = math.floor(level)
  end
  local most, held = tonumber(ARGV[first + limiters + 1]), 0
  if most > 0 then
    redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
    held = redis.call('ZCARD', places)
    if held >= most then
      refuse(scope, limiters + 1, 1000)
      oldest = redis.call('ZRANGE', places, 0, 0)[1]
    end
  end
  reply[#reply + 1] = held
end

for n = scopes * 2 + 2, #KEYS do
  local which = n - scopes * 2 - 1
  local counted = redis.call('HMGET', KEYS[n], 's', 'r')
  local spent, reserved, amount = tonumber(counted[1]), tonumber(counted[2] or 0), tonumber(ARGV[budgets + which])
  if spent and (spent + reserved + cost > amount or spent >= amount) then
    reply[1], reply[2], reply[3], reply[4] = 2, which, spent, reserved
    return reply
  elseif not spent and reply[1] == 1 then
    reply[1], reply[2], reply[3], reply[4] = 3, which, 0, 0
  end
end

if reply[1] ~= 1 then
  reply[#reply + 1] = oldest
  return reply
end

for scope = 1, scopes do
  local buckets, places, first = KEYS[scope * 2], KEYS[scope * 2 + 1], sizes + (scope - 1) * (limiters + 1)
  local write, full = {'at', now}, 0
  for n = 1, limiters do
    local level = levels[scope][n]
    if level then
      local size, window = tonumber(ARGV[first + n]), tonumber(ARGV[5 + 2 * n])
      write[#write + 1] = fields[n + 1]
      write[#write + 1] = string.format('%.3f', level)
      full = math.max(full, (size - level) * window / size)
      reply[5 + (scope - 1) * (limiters + 1) + n] = math.floor(level)
    end
  end
  if full > 0 then
    redis.call('HSET', buckets, unpack(write))
    redis.call('PEXPIRE', buckets, math.ceil(full) + 1000)
  end
  if tonumber(ARGV[first + limiters + 1]) > 0 then
    redis.call('ZADD', places, now + lifetime, lease)
    redis.call('PEXPIRE', places, lifetime + 1000)
  end
end
for n = scopes * 2 + 2, #KEYS do
  redis.call('HINCRBY', KEYS[n], 'r', cost)
  redis.call('HSET', KEYS[n], lease, string.format('%.0f', cost))
end
redis.call('ZADD', KEYS[1], now + lifetime, lease)
redis.call('PEXPIRE', KEYS[1], lifetime + 1000)
return reply
