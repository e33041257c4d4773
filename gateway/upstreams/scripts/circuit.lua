-- Take in what one process saw of one circuit, and say whether the circuit is open for everybody.
--
-- KEYS[1]  the circuit (hash): `open` is the time in ms until which it is open, `s<n>` and `f<n>` count successes
--          and failures of slice n, `probe` is the time until which somebody's probe is awaited
-- ARGV     successes, failures, ms a provider asks to be left alone for (0 = it does not), 1 = a probe succeeded,
--          length of the window and of a slice in ms, attempts from which the window counts, ms to stay open
-- Returns  ms that the circuit stays open (0 = closed or half open), and 1 if it was this call that opened it

local key = KEYS[1]
local successes, failures, rest, healed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local window, slice = tonumber(ARGV[5]), tonumber(ARGV[6])
local enough, stay = tonumber(ARGV[7]), tonumber(ARGV[8])

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local current = math.floor(now / slice)
local oldest = current - window / slice + 1

if healed then
  redis.call('DEL', key)
  return {0, 0}
end

redis.call('HINCRBY', key, 's' .. current, successes)
redis.call('HINCRBY', key, 'f' .. current, failures)
local good, bad, open = 0, 0, 0
local stored = redis.call('HGETALL', key)
for n = 1, #stored, 2 do
  local field, value = stored[n], tonumber(stored[n + 1])
  local kind, at = string.sub(field, 1, 1), tonumber(string.sub(field, 2))
  if field == 'open' then
    open = value
  elseif at and at < oldest then
    redis.call('HDEL', key, field)
  elseif at and kind == 's' then
    good = good + value
  elseif at and kind == 'f' then
    bad = bad + value
  end
end

local opened = 0
if rest > 0 then
  opened, open = 1, math.max(open, now + rest)
elseif failures > 0 and open <= now and (open > 0 or (good + bad >= enough and bad * 2 >= good + bad)) then
  -- half open, and the probe failed; or too many failed of enough
  opened, open = 1, now + stay
end
if opened == 1 then
  redis.call('DEL', key)
  redis.call('HSET', key, 'open', open)
end
redis.call('PEXPIRE', key, math.max(window, open - now + window))
return {math.max(0, open - now), opened}
