/**
 * What scripts are charged for the commands that they call: the same on all nodes, whatever these went
 * through, and enough.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from '../../engine/command/command.js';
import {
  type ApplyListener,
  Engine,
  EntryBuilder,
  ErrorReply,
  type Reply,
  restoreEngine,
  silentListener,
} from '../../engine/index.js';
import { CommandWork } from '../../engine/scripting/command-work.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

const session = { nodeId: 1, startId: 1, counter: 1 };
/** Elements of each value below. */
const SIZE = 2000;
const LIMIT = 400_000;

function apply(engine: Engine, ...args: string[]): Reply {
  const builder = new EntryBuilder(1, 1);
  const bytes = encodeRequest(args);
  builder.command(session, 0, bytes, 0, bytes.length);
  let answer: Reply = null;
  const listener: ApplyListener = {
    ...silentListener,
    reply(_ordinal, reply) {
      answer = reply;
    },
  };
  engine.apply(engine.appliedIndex + 1, builder.finish(1_000_000, 7, 9), listener);
  return answer;
}

function configure(engine: Engine, limit: number): void {
  const builder = new EntryBuilder(1, 1);
  builder.configure(session, encodeRequest(['lua-step-limit', `${limit}`]));
  engine.apply(engine.appliedIndex + 1, builder.finish(1_000_000, 7, 9), silentListener);
}

const fill = `for i = 1, tonumber(ARGV[1]) do
  redis.call('zadd', 'z1', i, 'm' .. i) redis.call('zadd', 'z2', i, 'm' .. (i + 5))
  redis.call('sadd', 's1', 'm' .. i) redis.call('sadd', 's2', 'm' .. (i + 3))
  redis.call('rpush', 'l1', 'v' .. ((i * 7919) % 2000)) redis.call('hset', 'h1', 'f' .. i, 'v' .. i)
  redis.call('set', 'key:' .. i, i) redis.call('geoadd', 'g1', i / 100, i / 200, 'p' .. i)
  redis.call('xadd', 'x1', i .. '-1', 'a', i) redis.call('pfadd', 'p1', i) redis.call('pfadd', 'p2', -i)
end
redis.call('xgroup', 'create', 'x1', 'g', '0')
redis.call('xreadgroup', 'group', 'g', 'c', 'count', 5000, 'streams', 'x1', '>')
redis.call('set', 'b1', string.rep('abcdefgh', 100000)) redis.call('set', 'b2', string.rep('abcdefgi', 100000))
redis.call('set', 'c1', string.rep('abcdefgh', 300)) redis.call('set', 'c2', string.rep('abcdefgi', 300))`;

/** Each command with the elements, or pieces of 64 bytes, that it looks at. */
const expensive: readonly (readonly [call: string, elements: number])[] = [
  ["'zunionstore', 'd', 2, 'z1', 'z2'", 2 * SIZE],
  ["'zunion', 2, 'z1', 'z2'", 2 * SIZE],
  ["'zinterstore', 'd', 2, 'z1', 'z2'", 2 * SIZE],
  ["'zintercard', 2, 'z1', 'z2'", 2 * SIZE],
  ["'zdiffstore', 'd', 2, 'z1', 'z2'", 2 * SIZE],
  ["'zdiff', 2, 'z1', 'z2'", 2 * SIZE],
  ["'zrangestore', 'd', 'z1', 0, -1", SIZE],
  ["'zrange', 'z1', 0, -1", SIZE],
  ["'zrangebyscore', 'z1', '-inf', '+inf'", SIZE],
  ["'sunionstore', 'd', 's1', 's2'", 2 * SIZE],
  ["'sunion', 's1', 's2'", 2 * SIZE],
  ["'sinterstore', 'd', 's1', 's2'", 2 * SIZE],
  ["'sintercard', 2, 's1', 's2'", 2 * SIZE],
  ["'sinter', 's1', 's2'", 2 * SIZE],
  ["'sdiffstore', 'd', 's1', 's2'", 2 * SIZE],
  ["'sdiff', 's1', 's2'", 2 * SIZE],
  ["'smembers', 's1'", SIZE],
  ["'srandmember', 's1', -2000", SIZE],
  ["'hrandfield', 'h1', -2000", SIZE],
  ["'zrandmember', 'z1', -2000", SIZE],
  ["'sort', 's1', 'alpha', 'limit', 0, 1", SIZE],
  ["'sort', 's1', 'alpha', 'store', 'd'", SIZE],
  ["'sort_ro', 's1', 'by', 'key:*', 'get', 'key:*', 'limit', 0, 1", 10 * SIZE],
  ["'lrange', 'l1', 0, -1", SIZE],
  ["'lrem', 'l1', 0, 'none'", SIZE],
  ["'lpos', 'l1', 'none'", SIZE],
  ["'linsert', 'l1', 'before', 'none', 'x'", SIZE],
  ["'hgetall', 'h1'", 2 * SIZE],
  ["'hkeys', 'h1'", SIZE],
  ["'hvals', 'h1'", SIZE],
  ["'hscan', 'h1', 0, 'count', 100000", SIZE],
  ["'sscan', 's1', 0, 'match', '*nothing*', 'count', 100000", SIZE],
  ["'zscan', 'z1', 0, 'match', '*nothing*', 'count', 100000", SIZE],
  ["'scan', 0, 'count', 100000, 'match', '*nothing*'", SIZE],
  ["'keys', '*nothing*'", SIZE],
  ["'lcs', 'c1', 'c2', 'len'", (2400 * 2400) / 64],
  ["'bitop', 'and', 'd', 'b1', 'b2'", 2 * 12_500],
  ["'bitop', 'not', 'd', 'b1'", 12_500],
  ["'bitcount', 'b1'", 12_500],
  ["'bitpos', 'b1', 0", 12_500],
  ["'get', 'b1'", 12_500],
  ["'getrange', 'b1', 0, -1", 12_500],
  ["'setrange', 'd', 6400000, 'x'", 100_000],
  ["'setbit', 'd', 51200000, 1", 100_000],
  ["'bitfield', 'd', 'set', 'u8', '#6400000', 1", 100_000],
  ["'dump', 'z1'", SIZE],
  ["'dump', 'l1'", SIZE],
  ["'copy', 'z1', 'd', 'replace'", SIZE],
  ["'copy', 'x1', 'd', 'replace'", SIZE],
  ["'restore', 'd', 0, redis.call('dump', 'h1'), 'replace'", 2 * SIZE],
  ["'xrange', 'x1', '-', '+'", SIZE],
  ["'xrevrange', 'x1', '+', '-'", SIZE],
  ["'xread', 'streams', 'x1', '0'", SIZE],
  ["'xreadgroup', 'group', 'g', 'c', 'streams', 'x1', '0'", SIZE],
  ["'xpending', 'x1', 'g', 'idle', 100000000, '-', '+', 10", SIZE],
  ["'xautoclaim', 'x1', 'g', 'd', 0, '0', 'count', 2000", SIZE],
  ["'xinfo', 'stream', 'x1', 'full', 'count', 0", SIZE],
  ["'geosearch', 'g1', 'fromlonlat', 10, 5, 'byradius', 5000, 'km', 'count', 1", SIZE],
  ["'geosearchstore', 'd', 'g1', 'fromlonlat', 10, 5, 'byradius', 5000, 'km'", SIZE],
  ["'georadius', 'g1', 10, 5, 5000, 'km'", SIZE],
  ["'georadius_ro', 'g1', 10, 5, 5000, 'km', 'count', 1", SIZE],
  ["'georadiusbymember', 'g1', 'p1', 5000, 'km'", SIZE],
  ["'pfcount', 'p1', 'p2'", 2 * 200],
  ["'pfmerge', 'd', 'p1', 'p2'", 2 * 200],
];

const runnable = (commands: readonly Command[]): string[] =>
  commands.flatMap((command) =>
    command.kind === 'container'
      ? runnable(command.subcommands)
      : command.flags?.includes('noscript') === true
        ? []
        : [command.name],
  );

test('the work of every command that scripts may call is stated', () => {
  const unknown = runnable(new Engine().table.commands).filter((name) => !CommandWork.knows(name));
  assert.deepEqual(unknown, []);
});

test('costly commands in a loop end at the same step everywhere, and are charged for what they look at', () => {
  const filled = new Engine();
  configure(filled, 2 ** 31 - 1);
  assert.equal(apply(filled, 'EVAL', fill, '0', `${SIZE}`), null);
  configure(filled, LIMIT);
  const snapshot = filled.snapshot();
  for (const [call, elements] of expensive) {
    const source = `redis.call('set', 'turns', 0) while true do redis.call('incr', 'turns') redis.call(${call}) end`;
    // One knows the values as it built them, the others as a snapshot laid them out; seeds of hashes are each
    // node's own.
    const one = restoreEngine(snapshot);
    const other = restoreEngine(snapshot, { hashSeed: { low: 5, high: 6 } });
    const replies = [one, other].map((engine) => apply(engine, 'EVAL', source, '0') as ErrorReply);
    assert.ok(replies[0] instanceof ErrorReply, call);
    assert.match(replies[0].text, /^ERR script exceeded its limit of steps/, call);
    assert.equal(replies[1]?.text, replies[0].text, call);
    const turns = Number(one.call('GET', 'turns'));
    assert.equal(Number(other.call('GET', 'turns')), turns, call);
    assert.equal(one.digest(), other.digest(), call);
    assert.ok(
      turns >= 1 && (turns - 1) * elements <= LIMIT,
      `${call}: ${turns} turns over ${elements} elements`,
    );
  }
  // What was built here, and not restored, is charged alike.
  for (const [call] of expensive.filter(([text]) => !/'d'|group|autoclaim/.test(text))) {
    const source = `for i = 1, 3 do redis.call(${call}) end`;
    const [here, there] = [filled, restoreEngine(snapshot)].map((engine) => {
      configure(engine, 2 ** 31 - 1);
      engine.call('EVAL', source, 0);
      return engine.scripts.usage;
    });
    assert.deepEqual(here, there, call);
  }
});

test('a pcall does not get around the charge', () => {
  const engine = new Engine();
  configure(engine, LIMIT);
  const source =
    "while true do pcall(redis.call, 'nosuch', 'x') redis.pcall('get') redis.pcall('time', 'x') end";
  assert.match((apply(engine, 'EVAL', source, '0') as ErrorReply).text, /limit of steps/);
});

test('straight-line code is charged for its length', () => {
  const body = Array.from({ length: 300 }, (_, i) => `t[${i % 50}] = (t[${(i * 7) % 50}] or 0) + ${i}`).join(
    ' ',
  );
  const steps = (source: string): number => {
    const engine = new Engine();
    engine.call('EVAL', source, 0);
    return engine.scripts.usage.steps;
  };
  const short = steps('local t = {} for i = 1, 100 do t[1] = i end');
  const long = steps(`local t = {} for i = 1, 100 do ${body} end`);
  assert.ok(long > 100 * short, `${long} steps against ${short}`);
  const branches = steps(`local t = {} for i = 1, 100 do if i == 0 then ${body} end end`);
  assert.ok(branches < 10 * short, 'a branch that is not taken costs nothing');
});

test('the limit is a setting that an entry changes', () => {
  const engine = new Engine();
  const source = 'for i = 1, 20000 do end return 1';
  assert.equal(apply(engine, 'EVAL', source, '0'), 1);
  configure(engine, 10_000);
  assert.match((apply(engine, 'EVAL', source, '0') as ErrorReply).text, /limit of steps/);
  const restored = restoreEngine(engine.snapshot());
  assert.match((apply(restored, 'EVAL', source, '0') as ErrorReply).text, /limit of steps/);
  configure(restored, 30_000);
  assert.equal(apply(restored, 'EVAL', source, '0'), 1);
});
