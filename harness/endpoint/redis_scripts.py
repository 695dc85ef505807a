"""The steps that Redis carries out as one, as Lua scripts; each says what its keys and arguments are.

Redis runs a script without interruption, so numbering, storing and announcing an event cannot be interleaved with
another process or torn apart by a connection that breaks.
"""

APPEND = """
-- KEYS: bus. ARGV: prefix, batch name, history length, bus length, then tenant, room, event of each.
local known = redis.call('GET', ARGV[1] .. 'batch:' .. ARGV[2])
if known then return cjson.decode(known) end
local seqs = {}
for at = 5, #ARGV, 3 do
  local tenant, room, event = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local seq = redis.call('HINCRBY', ARGV[1] .. 'last:' .. tenant, room, 1)
  redis.call('ZADD', ARGV[1] .. 'rooms:' .. tenant, 'NX', 0, room)
  redis.call('XADD', ARGV[1] .. 'history:' .. room .. ' ' .. tenant, 'MAXLEN', '~', ARGV[3], seq .. '-0', 'e', event)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 's', seq, 'e', event)
  seqs[#seqs + 1] = seq
end
redis.call('SET', ARGV[1] .. 'batch:' .. ARGV[2], cjson.encode(seqs), 'EX', 60)
return seqs
"""
"""Number events, store them, announce them; the same batch again does nothing and gives the same numbers."""

LEASE = """
-- KEYS: bucket. ARGV: process, tokens per second, burst, returned, kept, wanted.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local burst = tonumber(ARGV[3])
local tokens, at, held = burst, now, 0
local fields = redis.call('HGETALL', KEYS[1])
for n = 1, #fields, 2 do
  if fields[n] == 'tokens' then tokens = tonumber(fields[n + 1])
  elseif fields[n] == 'at' then at = tonumber(fields[n + 1])
  elseif fields[n] ~= 'held:' .. ARGV[1] then held = held + tonumber(fields[n + 1]) end
end
tokens = tokens + tonumber(ARGV[4])
local kept = tonumber(ARGV[5])
local room = math.max(0, burst - held - kept)
tokens = math.min(room, tokens + math.max(0, now - at) * tonumber(ARGV[2]))
local got = math.max(0, math.min(math.floor(tokens), tonumber(ARGV[6])))
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - got), 'at', string.format('%.6f', now),
  'held:' .. ARGV[1], kept + got)
redis.call('EXPIRE', KEYS[1], 3600)
return got
"""
"""Take tokens of a bucket that all processes share. Tokens held by a process are not refilled until it returns them."""

SWEEP = """
-- KEYS: processes, expiry. ARGV: prefix, now in ms.
for _, process in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', ARGV[1] .. 'process:' .. process) == 0 then
    redis.call('DEL', ARGV[1] .. 'connections:' .. process, ARGV[1] .. 'inbox:' .. process)
    redis.call('SREM', KEYS[1], process)
    for _, bucket in ipairs(redis.call('SMEMBERS', ARGV[1] .. 'buckets')) do
      redis.call('HDEL', bucket, 'held:' .. process)
    end
  end
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[2], 'LIMIT', 0, 1000)) do
  local space = string.find(member, ' ', 1, true)
  redis.call('HDEL', ARGV[1] .. 'connections:' .. string.sub(member, 1, space - 1), string.sub(member, space + 1))
  redis.call('ZREM', KEYS[2], member)
end
"""
"""Delete the rows, inbox and held tokens of dead processes, and rows that have expired."""

EXHUME = """
-- KEYS: letters, their order. ARGV: id.
local letter = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return letter
"""
"""Take a dead letter out; only one caller gets it."""
