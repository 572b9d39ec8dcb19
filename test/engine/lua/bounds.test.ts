/**
 * Scripts that would run, grow or nest without end: each ends within its limits, and at the same count every
 * time.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protectedState, runProgram } from '../../../conformance/lua/run-program.js';
import {
  checkSyntax,
  compile,
  defaultLimits,
  LuaFatal,
  type LuaLimits,
  LuaState,
} from '../../../engine/lua/index.js';

const limits: LuaLimits = { ...defaultLimits, steps: 2_000_000, bytes: 50_000_000 };

const endless: readonly (readonly [source: string, reason: 'steps' | 'bytes'])[] = [
  ['while true do end', 'steps'],
  ['repeat until false', 'steps'],
  ['for i = 1, math.huge do end', 'steps'],
  ['for i = 2, 1, 0 do end', 'steps'],
  ['local function f() return f() end f()', 'steps'],
  ['local a, b function a() return b() end function b() return a() end a()', 'steps'],
  ['while true do pcall(error) end', 'steps'],
  ['pcall(function() while true do end end) return 1', 'steps'],
  ['while true do pcall(function() while true do end end) end', 'steps'],
  [
    'local c = coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end',
    'steps',
  ],
  ['xpcall(function() while true do end end, function() while true do end end)', 'steps'],
  ['string.rep("x", 2^30)', 'bytes'],
  ['local s = "x" while true do s = s .. s end', 'bytes'],
  ['local t = {} while true do t[#t + 1] = 1 end', 'bytes'],
  ['local t = {} while true do t = {t} end', 'bytes'],
  ['local t = {} for i = 1, 1e9 do t["k" .. i] = i end', 'bytes'],
  ['local t = {} while true do t[#t + 1] = function() end t = {} end', 'bytes'],
  ['string.find(("a"):rep(3e5), ".-b")', 'steps'],
  ['string.find(("a"):rep(3000), ".-.-.-.-b")', 'steps'],
  ['string.find(("a"):rep(30), ("a*"):rep(30) .. "b")', 'steps'],
  ['string.rep("x", 1e6):gsub(".", "%0%0%0%0%0%0%0%0%0%0"):gsub(".", "%0%0%0%0%0%0%0%0%0%0")', 'bytes'],
  ['local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 0) end', 'steps'],
  ['local t = {} for i = 1, 1e5 do t[i] = i end while true do table.concat(t) end', 'bytes'],
  ['local t = {} for i = 1, 5000 do t[i] = i end while true do unpack(t) end', 'steps'],
  ['local t = {} for i = 1, 1e5 do t[i] = 0 end while true do table.sort(t) end', 'steps'],
  [
    'local s = cjson.encode({{{}}}) local t = cjson.decode(s) while true do t = {t, t} cjson.encode(t) end',
    'bytes',
  ],
  ['local s = ("[1],"):rep(1e4) while true do cjson.decode("[" .. s .. "1]") end', 'bytes'],
  ['while true do cmsgpack.unpack(cmsgpack.pack({1, 2, {3}})) end', 'steps'],
  ['while true do struct.pack("c100000", ("x"):rep(1e5)) end', 'bytes'],
  [
    'local t = setmetatable({}, {__index = function(t, k) return k end}) while true do local x = t.a end',
    'steps',
  ],
  ['for k in function() return 1 end do end', 'steps'],
  ['load(function() return " " end)', 'steps'],
  ['while true do loadstring("return 1") end', 'steps'],
  ['local s = ("x"):rep(1e6) while true do s:reverse() end', 'bytes'],
  ['local s = ("x"):rep(1e6) while true do s:find("y", 1, true) end', 'steps'],
  ['while true do tostring({}) end', 'bytes'],
  ['while true do ("%99.99f"):format(1e308) end', 'bytes'],
];

test('what has no end ends past a limit, at the same count on every run', () => {
  for (const [source, reason] of endless) {
    for (const coroutines of [false, true]) {
      const usages = [0, 1].map(() => {
        const state = protectedState();
        const script = compile(source, coroutines ? { chunkName: 'p', coroutines } : { chunkName: 'p' });
        assert.throws(
          () => state.run(script, [], { limits }),
          (error) =>
            error instanceof LuaFatal &&
            (error.reason === reason || error.reason === 'bytes' || error.reason === 'steps'),
          source,
        );
        return state.usage;
      });
      assert.deepEqual(usages[0], usages[1], source);
    }
  }
});

const many = Array.from({ length: 180 }, (_, at) => `local a${at} = x`).join(' ');

/** Each nests without end, in another way. */
const deep: readonly string[] = [
  'local function f(n) return 1 + f(n + 1) end return pcall(f, 1)',
  `local function f(x) ${many} return 1 + f(x) end return pcall(f, 1)`,
  'local function f(...) return 1 + f(..., 1, 2, 3) end return pcall(f, 1)',
  'local function f(...) return 1 + f(1, ...) end return pcall(f, 1)',
  'local function f(...) return f(1, ...) end return pcall(f, 1)',
  'local t = {} for i = 1, 7000 do t[i] = i end local function f(...) return 1 + f(unpack(t)) end return pcall(f, 1)',
  'local t = {} for i = 1, 7000 do t[i] = i end local function f(a) return 1 + f(unpack(t)) end return pcall(f, 1)',
  'local function f() return pcall(f) end return f()',
  'local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k + 1] end return pcall(function() return t[1] end)',
  'local t = setmetatable({}, {}) getmetatable(t).__concat = function(a, b) return a .. b end return pcall(function() return t .. t end)',
  'local t = setmetatable({}, {}) getmetatable(t).__eq = function(a, b) return a == b end return pcall(function() return t == setmetatable({}, getmetatable(t)) end)',
  'local t t = setmetatable({}, {__call = function(self, n) return 1 + t(n) end}) return pcall(t, 1)',
  'local function f() table.sort({3, 2, 1}, function(a, b) f() return a < b end) end return pcall(f)',
  'local function f() return (("x"):gsub("x", f)) end return pcall(f)',
  'local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) return pcall(tostring, t)',
  'local function f() for i in f do end end return pcall(f)',
  'local function f() return coroutine.wrap(f)() end return pcall(f)',
  'local function f(n) return 1 + f(n) end return coroutine.wrap(function() return pcall(f, 1) end)()',
  'local function f() return loadstring("local f = ... return 1 + f()")(f) end return pcall(f)',
  'local function f() return table.foreach({1}, f) end return pcall(f)',
  'return pcall(string.rep, "x", -1), pcall(string.find, ("a"):rep(300), ("a?"):rep(300) .. ("a"):rep(300))',
  `return pcall(cjson.decode, ("["):rep(100000))`,
  `return pcall(cmsgpack.unpack, ("\\145"):rep(100000))`,
  'local t = {} for i = 1, 100000 do t = {t} end return pcall(cjson.encode, t)',
  'cjson.encode_max_depth(1e9) local t = {} for i = 1, 50000 do t = {t} end return #cjson.encode(t)',
  'cjson.decode_max_depth(1e9) return type(cjson.decode(("["):rep(50000) .. ("]"):rep(50000)))',
];

test('deep recursion of every kind ends before the stack of the main thread does', () => {
  for (const source of deep) {
    for (const coroutines of [false, true]) {
      const shown = runProgram(protectedState(), source, coroutines);
      assert.doesNotMatch(shown, /^FATAL/, source);
    }
  }
});

/** Each is one expression or statement, long or nested beyond what a person writes. */
const wide: readonly (readonly [source: string, expected: RegExp])[] = [
  [`return ${'('.repeat(5000)}1${')'.repeat(5000)}`, /too many syntax levels/],
  [`return ${'{'.repeat(5000)}`, /too many syntax levels/],
  [`return ${'not '.repeat(5000)}1`, /too many syntax levels/],
  [`local x = 1 return ${'x + '.repeat(3000)}x`, /3001\|3001/],
  [`local x = 1 return ${'x and '.repeat(3000)}x`, /true ; 1/],
  [`local x = {} x.a = x return x${'.a'.repeat(3000)} == x`, /true ; true/],
  [`local function f() return 1 end local x = 0 return x${' + f()'.repeat(3000)}`, /3000/],
  [`local x = "a" return #(${'x .. '.repeat(190)}x)`, /191/],
  [
    `local x = 1 if x == 0 then ${'elseif x == 2 then return 1 '.repeat(3000)} else return "end" end`,
    /"end"/,
  ],
  [`return #{${'1, '.repeat(20000)}}`, /20000/],
  [`${'do '.repeat(190)}${'end '.repeat(190)} return 1`, /true ; 1/],
  [`${'function f() '.repeat(90)}${'end '.repeat(90)}`, /readonly/],
  [`local a = "x" ${'a = a .. "y" '.repeat(2000)} return #a`, /2001/],
];

test('long and nested sources compile, or are refused as in Lua', () => {
  for (const [source, expected] of wide) {
    assert.match(runProgram(protectedState(), source).slice(0, 2000), expected, source.slice(0, 80));
  }
});

test('what a chunk may have is bounded before it is compiled', () => {
  const long = 'x=1 '.repeat(34_000);
  assert.match(runProgram(protectedState(), long), /^COMPILE p:1: chunk has more than 100000 tokens$/);
  assert.throws(() => checkSyntax(long, 'p'), { value: 'p:1: chunk has more than 100000 tokens' });
  // Nesting multiplies no work: blocks in blocks, functions in functions.
  const nested = (open: string): string => `${open.repeat(190)}${'x=1 '.repeat(1_000)}${' end'.repeat(190)}`;
  for (const open of ['if x then ', 'do ', 'function f() ']) {
    const { generatedLength } = compile(nested(open), { chunkName: 'p' });
    assert.ok(generatedLength < 200_000, open);
  }
});

test('nothing of JavaScript is in reach', () => {
  const state = protectedState();
  const names = [
    'constructor',
    '__proto__',
    'prototype',
    'toString',
    'valueOf',
    'length',
    'call',
    'apply',
    'arguments',
    'caller',
    'native',
    'twin',
    'id',
  ];
  for (const name of names) {
    assert.match(
      runProgram(state, `return ${name}`),
      /Script attempted to access nonexistent global variable/,
      name,
    );
    assert.equal(runProgram(state, `return ({}).${name}, ({1})["${name}"]`), 'true ; nil ; nil');
    assert.equal(runProgram(state, `return ("x").${name}`), 'true ; nil');
    assert.match(
      runProgram(state, `return type.${name}`),
      /attempt to index global 'type' \(a function value\)/,
    );
    assert.match(runProgram(state, `return (5).${name}`), /attempt to index a number value/);
    assert.match(runProgram(state, `return (true)["${name}"]`), /attempt to index a boolean value/);
    assert.equal(
      runProgram(state, `local t = {} t.${name} = 1 return t.${name}, next(t)`),
      `true ; 1|1 ; "${name}" ; 1|1`,
    );
    assert.equal(runProgram(state, `local ${name} = 7 return ${name}`), 'true ; 7|7');
  }
});

test('names, strings, numbers and comments do not get out of the generated code', () => {
  const state = protectedState();
  const texts = [
    '"+process+"',
    "'+process.exit()+'",
    '`$\u007bprocess.exit()}`',
    '*/process.exit()/*',
    '//',
    '\\',
    '\u2028',
    '</script>',
    '\n',
  ];
  for (const text of texts) {
    const bytes = Buffer.from(text).toString('latin1');
    const literal = `"${[...bytes].map((char) => `\\${char.charCodeAt(0)}`).join('')}"`;
    const shown = runProgram(
      state,
      `local t = {[${literal}] = ${literal}} return #${literal}, t[${literal}] == ${literal}`,
    );
    assert.equal(shown, `true ; ${bytes.length}|${bytes.length} ; true`);
    assert.match(
      runProgram(state, `--[==[ ${bytes} ]==] local x return x[${literal}]`),
      /attempt to index local 'x'/,
    );
    assert.match(runProgram(state, `local t = {} return t[${literal}].x`), /attempt to index field/);
  }
});

test('counters of one state do not reach another', () => {
  const [a, b] = [new LuaState(), new LuaState()];
  const script = compile('local n = ... local s = 0 for i = 1, n do s = s + i end return s', {
    chunkName: 'p',
  });
  assert.deepEqual(a.run(script, [10]), [55]);
  const { usage } = a;
  b.run(script, [1000]);
  a.run(script, [10]);
  assert.deepEqual(a.usage, usage);
});
