/**
 * How long a step of a script takes: programs, and commands in a loop, that run until their steps are used
 * up. Whatever makes one step much longer than the others is charged too little.
 *
 *     npm run bench:scripts [-- STEPS [NAME]]
 */
import { Engine } from '../engine/index.js';

const repeated = (count: number, statement: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => statement(at)).join(' ');

const nested = (depth: number): string =>
  `local x = 0 ${repeated(depth, (at) => `for v${at} = 1, 2 do`)} x = x + 1 ${repeated(depth, () => 'end')}`;

const long = 'local s = string.rep("x", 100000) ';
const objects = 'local t = {} for i = 1, 100 do t[i] = {a = i, b = "x" .. i} end ';
const thousand = 'local t = {} for i = 1, 1000 do t[i] = i end ';

const programs: Readonly<Record<string, string>> = {
  'empty loop': 'while true do end',
  'nested loops': nested(45),
  'reads of a table': `local t = {} while true do ${repeated(150, (at) => `local a${at} = t[${at}]`)} end`,
  'body of 2,000 lines': `local t = {} while true do ${repeated(2000, (at) => `t[${at % 50}] = (t[${(at * 7) % 50}] or 0) + ${at}`)} end`,
  remainders: `local x = 1.5 while true do ${repeated(2000, (at) => `x = (x % ${at + 1.5}) + 1.1`)} end`,
  powers: `local x = 1.5 while true do ${repeated(2000, () => 'x = x ^ 1.0001')} x = 1.5 end`,
  calls: 'local function f(a) return a end while true do f(1) end',
  varargs: 'local function f(...) return ... end while true do f(1, 2, 3, 4, 5, 6, 7, 8) end',
  __index:
    'local t = setmetatable({}, {__index = function(t, k) return k end}) while true do local x = t.a end',
  'errors caught': 'while true do pcall(error, "x") end',
  'errors of fields': 'while true do pcall(function() local x = nil; x.y = 1 end) end',
  tostring: 'local i = 0.1 while true do i = i + 0.37 tostring(i) end',
  'string.rep': 'while true do string.rep("ab", 1000) end',
  gsub: 'local s = string.rep("ab", 1000) while true do string.gsub(s, "a", "c") end',
  'gsub, function':
    'local s = string.rep("ab", 1000) while true do string.gsub(s, ".", function(c) return c end) end',
  find: 'local s = string.rep("a", 3000) while true do string.find(s, ".-b") end',
  'find, plain': 'local s = string.rep("a", 100000) while true do string.find(s, "ab", 1, true) end',
  format: 'while true do string.format("%.14g %s %d %5.2f", 1.234567, "abc", 12, 3.14159) end',
  'format, small': 'while true do string.format("%.30f", 1e-300) end',
  sort: 'local t = {} while true do for i = 1, 1000 do t[i] = (i * 7919) % 1000 end table.sort(t, function(a, b) return a < b end) end',
  'insert in front': `${thousand}while true do table.insert(t, 1, 0) table.remove(t, 1) end`,
  unpack: `${thousand}while true do unpack(t) end`,
  concat: `${thousand}while true do table.concat(t, ",") end`,
  'cjson.encode': `${objects}while true do cjson.encode(t) end`,
  'cjson.decode': `${objects}local s = cjson.encode(t) while true do cjson.decode(s) end`,
  cmsgpack: `${objects}while true do cmsgpack.unpack(cmsgpack.pack(t)) end`,
  struct: 'while true do struct.pack(">I8I8I8s", 1, 2, 3, "abc") end',
  loadstring: 'local i = 0 while true do i = i + 1 loadstring("return " .. i)() end',
  'new tables': 'while true do local t = {1, 2, 3, a = 1, b = 2} end',
  'growing array': 'local t = {} local i = 0 while true do i = i + 1 t[i] = i end',
  'growing table': 'local t = {} local i = 0 while true do i = i + 1 t["k" .. i] = i end',
  closures: 'while true do local x = function() return 1 end end',
  coroutines: 'while true do local c = coroutine.wrap(function() coroutine.yield(1) end) c() c() end',
  yields:
    'local c = coroutine.wrap(function() while true do coroutine.yield(1) end end) while true do c() end',
  pairs: `${thousand}while true do for k, v in pairs(t) do end end`,
  next: `${thousand}while true do local k = next(t) while k do k = next(t, k) end end`,
  'length with holes':
    'local t = {} for i = 1, 100000 do t[i] = i end t[50000] = nil while true do local n = #t end',
  sha1hex: `${long}while true do redis.sha1hex(s) end`,
  upper: `${long}while true do string.upper(s) end`,
  reverse: `${long}while true do string.reverse(s) end`,
  byte: 'local s = string.rep("x", 7000) while true do string.byte(s, 1, -1) end',
  'equal strings': `${long}local u, v = s .. "a", s .. "a" while true do local b = u == v end`,
  'order of strings': `${long}local u, v = s .. "a", s .. "b" while true do local b = u < v end`,
  'long keys': `${long}local t = {} local i = 0 while true do i = i + 1 t[s .. i] = 1 t[s .. i] = nil end`,
  numerals: 'local s = string.rep(" ", 100000) .. "1" while true do tonumber(s) end',
  'sum of numerals': `local s = string.rep(" ", 100000) .. "1" local x while true do ${repeated(200, () => 'x = s + 1')} end`,
  'random numbers': 'while true do math.random() end',
  'elementary functions':
    'while true do math.sin(1e22) math.exp(1.1) math.log(3.3) math.tan(2e300) math.pow(1.1, 500.3) end',
};

const members = 50_000;
const fill = `for i = 1, tonumber(ARGV[1]) do
  redis.call('zadd', 'z1', i, 'm' .. i) redis.call('zadd', 'z2', i, 'm' .. (i + 5))
  redis.call('sadd', 's1', 'm' .. i) redis.call('sadd', 's2', 'm' .. (i + 3))
  redis.call('rpush', 'l1', 'v' .. ((i * 7919) % 50000)) redis.call('hset', 'h1', 'f' .. i, 'v' .. i)
end
for i = 1, 5000 do
  redis.call('set', 'key:' .. i, i) redis.call('geoadd', 'g1', i / 100, i / 200, 'p' .. i)
  redis.call('xadd', 'x1', i .. '-1', 'a', i) redis.call('pfadd', 'p1', i) redis.call('pfadd', 'p2', -i)
end
for i = 1, 500 do redis.call('hset', 'ph', 'f' .. i, 'v' .. i) end
redis.call('set', 'b1', string.rep('abcdefgh', 1000000)) redis.call('set', 'b2', string.rep('abcdefgi', 1000000))
redis.call('set', 'c1', string.rep('abcdefgh', 300)) redis.call('set', 'c2', string.rep('abcdefgi', 300))`;

const calls: readonly string[] = [
  "'get', 'key:1'",
  "'set', 'd', 'v'",
  "'set', 'd', string.rep('x', 1000000)",
  "'incrbyfloat', 'd', 1.1",
  "'nosuch'",
  "'time'",
  "'hget', 'ph', 'f499'",
  "'hset', 'ph', 'f499', math.random()",
  "'zadd', 'z1', math.random(), 'm' .. math.random(1, 50000)",
  "'lindex', 'l1', 25000",
  "'lrange', 'l1', 0, -1",
  "'lrem', 'l1', 0, 'none'",
  "'smembers', 's1'",
  "'hgetall', 'h1'",
  "'hscan', 'h1', 0, 'count', 100000",
  "'scan', 0",
  "'keys', '*9*'",
  "'zunionstore', 'd', 2, 'z1', 'z2'",
  "'zinterstore', 'd', 2, 'z1', 'z2'",
  "'zrangestore', 'd', 'z1', 0, -1",
  "'zrange', 'z1', 0, -1, 'withscores'",
  "'sunionstore', 'd', 's1', 's2'",
  "'sinterstore', 'd', 's1', 's2'",
  "'sdiff', 's1', 's2'",
  "'sort', 's1', 'alpha', 'store', 'd'",
  "'sort', 's1', 'by', 'key:*', 'get', 'ph->*', 'limit', 0, 1",
  "'lcs', 'c1', 'c2', 'len'",
  "'bitop', 'and', 'd', 'b1', 'b2'",
  "'bitcount', 'b1'",
  "'copy', 'z1', 'd', 'replace'",
  "'dump', 'z1'",
  "'restore', 'd', 0, ARGV[2], 'replace'",
  "'xrange', 'x1', '-', '+'",
  "'geosearch', 'g1', 'fromlonlat', 10, 10, 'byradius', 5000, 'km', 'count', 1",
  "'geosearchstore', 'd', 'g1', 'fromlonlat', 10, 10, 'byradius', 5000, 'km'",
  "'pfcount', 'p1', 'p2'",
  "'pfmerge', 'd', 'p1', 'p2'",
  "'srandmember', 's1', -10000",
];

const [stepsArgument, only = ''] = process.argv.slice(2);
const steps = Number(stepsArgument ?? 20_000_000);

/** Time of the processor, which other work on the machine leaves alone. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function measure(engine: Engine, name: string, source: string, args: readonly Buffer[]): void {
  // Compiled before: what that takes grows with the source alone.
  const sha = engine.call('SCRIPT', 'LOAD', source) as string;
  const beganMs = processorMs();
  let end = 'came to its end';
  try {
    engine.call('EVALSHA', sha, 0, ...args);
  } catch (error) {
    end = (error as Error).message.replace(/ script: .*/s, '');
  }
  const ms = processorMs() - beganMs;
  const ns = (ms * 1e6) / engine.scripts.usage.steps;
  console.log(`${ns.toFixed(0).padStart(6)} ns a step ${ms.toFixed(0).padStart(7)} ms  ${name}: ${end}`);
}

for (const [name, source] of Object.entries(programs))
  if (name.includes(only)) measure(new Engine({ settings: { 'lua-step-limit': steps } }), name, source, []);

const engine = new Engine({ settings: { 'lua-step-limit': 2 ** 31 - 1 } });
engine.call('EVAL', fill, 0, members);
const [payload] = [engine.callRaw(0, ['DUMP', 'h1'])];
const dump = Buffer.isBuffer(payload) ? Buffer.from(payload) : Buffer.from(String(payload), 'latin1');
engine.keyspace.settings['lua-step-limit'] = steps;
for (const call of calls) {
  if (!call.includes(only)) continue;
  engine.call('DEL', 'd');
  measure(engine, call, `while true do redis.pcall(${call}) end`, [Buffer.alloc(0), dump]);
}
