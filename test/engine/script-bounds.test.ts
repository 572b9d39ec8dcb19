/**
 * What a script may take, on engines with other histories: each ends with the same error, after the same
 * steps and bytes, and leaves the same state.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ApplyListener,
  Engine,
  EntryBuilder,
  ErrorReply,
  type Reply,
  restoreEngine,
  silentListener,
} from '../../engine/index.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

const session = { nodeId: 1, startId: 1, counter: 1 };

/** Each begins by a write, so that what it leaves behind tells where it ended. */
const bombs: readonly (readonly [source: string, expected: RegExp])[] = [
  ['while true do redis.call("incr", "n") end', /limit of steps/],
  ['string.rep("x", 2^30)', /limit of allocated bytes/],
  ['local t = {} while true do t[#t + 1] = redis.call("incr", "n") end', /limit of steps/],
  ['local t = {} for i = 1, 1e9 do t["k" .. i] = i end', /limit of (steps|allocated bytes)/],
  ['local function f(a) redis.call("incr", "n") return 1 + f(a) end f(1)', /stack overflow/],
  ['local function f() return pcall(f) end f() local function g() g() end g()', /stack overflow|C stack/],
  ['string.find(string.rep("a", 3e5), ".-.-.-b")', /limit of steps/],
  ['string.find(string.rep("a", 3e5), ".-b")', /limit of steps/],
  ['local t = {} for i = 1, 1e5 do t = {t} end cjson.encode(t)', /too deep|nesting|excessively/],
  ['cjson.decode(string.rep("[", 1e5))', /too many nested|nested/i],
  [
    'local t = {} for i = 1, 300 do t[i] = i % 7 end table.sort(t, function() return true end)',
    /invalid order function/,
  ],
  [
    'local t = {} for i = 1, 3000 do t[i] = i end table.sort(t, function(a, b) redis.call("incr", "n") return a % 3 > b % 5 end)',
    /invalid order function|limit of steps|^\*/,
  ],
  ['unpack({}, 1, 1e6)', /too many results to unpack/],
  ['redis.call("del", unpack({}, 1, 1e8))', /too many results to unpack/],
  [
    'local t = {} for i = 1, 7e3 do t[i] = "k" .. i end redis.call("del", unpack(t)) while true do redis.call("mget", unpack(t)) end',
    /limit of steps/,
  ],
  [
    'redis.call("setrange", "n", 3e7, "x") while true do redis.call("get", "n") end',
    /limit of (steps|allocated bytes)/,
  ],
  [`loadstring(string.rep("x=1 ", 40000))() `, /attempt to call a nil value/],
];

/** What a run leaves behind, beside the state. */
interface Outcome {
  readonly reply: string;
  readonly steps: number;
  readonly bytes: number;
}

function run(engine: Engine, source: string): Outcome {
  const bytes = encodeRequest(['EVAL', `redis.call("set", "n", 1) ${source}`, '0']);
  const builder = new EntryBuilder(1, 1);
  builder.command(session, 0, bytes, 0, bytes.length);
  let reply: Reply = null;
  const listener: ApplyListener = {
    ...silentListener,
    reply: (_ordinal, given) => {
      reply = given;
    },
  };
  engine.apply(engine.appliedIndex + 1, builder.finish(1_000_000 + engine.appliedIndex, 7, 9), listener);
  const text = (reply as Reply) instanceof ErrorReply ? (reply as unknown as ErrorReply).text : '*';
  return { reply: text, ...engine.scripts.usage };
}

test('three engines end each of them alike', () => {
  const settings = { 'lua-step-limit': 700_000 };
  const fresh = new Engine({ settings });
  // Another has run scripts for long, which V8 has optimized, and another hash seed.
  const used = new Engine({ settings, hashSeed: { low: 3, high: 4 } });
  const work =
    'local n = 0 for i = 1, 30000 do n = n + #tostring(i) end local function f(a) return a + 1 end return f(n)';
  for (let i = 0; i < 20; i++) used.call('EVAL_RO', work, 0);
  // The third is at every step one that was restored from a snapshot.
  let restored = restoreEngine(fresh.snapshot());
  for (const [source, expected] of bombs) {
    const outcome = run(fresh, source);
    assert.match(outcome.reply, expected, source);
    assert.deepEqual(run(used, source), outcome, source);
    assert.deepEqual(run(restored, source), outcome, source);
    const digest = fresh.digest();
    assert.equal(used.digest(), digest, source);
    assert.equal(restored.digest(), digest, source);
    restored = restoreEngine(restored.snapshot());
  }
});
