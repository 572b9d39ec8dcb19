/** SINTER, SUNION, SDIFF and their kin: against plain sets, and the order of what they store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../engine/index.js';
import { SetReply } from '../../engine/protocol/reply.js';
import { encodingOf, script, sorted } from './script.js';

const WRONG_TYPE = '!WRONGTYPE Operation against a key holding the wrong kind of value';

test('replies and errors', () => {
  const engine = script([
    ['SADD a 1 2 3 x', 4],
    ['SADD b 3 2 9', 3],
    ['SET str v', 'OK'],
    ['SINTER a b', ['2', '3']],
    ['SINTER a none', []],
    ['SINTER none str', WRONG_TYPE],
    ['SUNION none str', WRONG_TYPE],
    ['SDIFF none str', WRONG_TYPE],
    ['SUNION a b', ['1', '2', '3', 'x', '9']],
    ['SUNION b none', ['2', '3', '9']],
    ['SDIFF a b', ['1', 'x']],
    ['SDIFF a a', []],
    ['SDIFF none a', []],
    ['SINTERCARD 2 a b', 2],
    ['SINTERCARD 2 a b LIMIT 1', 1],
    ['SINTERCARD 2 a b LIMIT 0', 2],
    ['SINTERCARD 2 a none', 0],
    ['SINTERCARD 0 a', '!ERR numkeys should be greater than 0'],
    ['SINTERCARD x a', '!ERR numkeys should be greater than 0'],
    ['SINTERCARD 3 a b', "!ERR Number of keys can't be greater than number of args"],
    ['SINTERCARD 1 a b', '!ERR syntax error'],
    ['SINTERCARD 1 a LIMIT', '!ERR syntax error'],
    ['SINTERCARD 1 str LIMIT -1', "!ERR LIMIT can't be negative"],
    ['SINTERSTORE str a b', 2],
    ['SMEMBERS str', ['2', '3']],
    ['SINTERSTORE str a none', 0],
    ['SCARD str', 0],
    ['SDIFFSTORE a a b', 2],
    ['SMEMBERS a', ['1', 'x']],
    ['SUNIONSTORE none2 none', 0],
  ]);
  assert.ok(engine.callRaw(0, ['SUNION', 'a', 'b']) instanceof SetReply);
  assert.ok(engine.callRaw(0, ['SINTER', 'a', 'b']) instanceof SetReply);
});

test('what is stored loses the deadline and starts as an intset', () => {
  const engine = new Engine();
  engine.setTime(1_000_000);
  engine.call('SADD', 'a', 1, 2, 'x');
  engine.call('SADD', 'x', 'x');
  engine.call('SET', 'd', 'v', 'EX', 1);
  engine.call('SDIFFSTORE', 'd', 'a', 'x');
  assert.equal(encodingOf(engine, 'd'), 'intset');
  engine.fastForward(5000);
  assert.equal(engine.call('SCARD', 'd'), 2);
  // Redis's second algorithm removes from a copy of the first set, which by then is no intset any more.
  engine.call('SADD', 'first', ...Array.from({ length: 20 }, (_, i) => i), 'x');
  engine.call('SADD', 'second', 'x');
  assert.equal(engine.call('SDIFFSTORE', 'd', 'first', 'second', 'second', 'second'), 20);
  assert.equal(encodingOf(engine, 'd'), 'hashtable');
  assert.equal(engine.call('SDIFFSTORE', 'd', 'first', 'second'), 20);
  assert.equal(encodingOf(engine, 'd'), 'intset');
});

const members = fc.oneof(
  fc.array(fc.nat({ max: 60 }).map(String), { maxLength: 50 }),
  fc.array(
    fc.nat({ max: 60 }).map((n) => `m${n}`),
    { maxLength: 50 },
  ),
  fc.array(
    fc.nat({ max: 300 }).map((n) => (n % 3 === 0 ? `${n}` : `m${n}`)),
    { minLength: 150, maxLength: 400 },
  ),
);

test('operations agree with plain sets, whatever the forms', () => {
  fc.assert(
    fc.property(
      fc.array(members, { minLength: 2, maxLength: 4 }),
      fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 5 }),
      fc.nat({ max: 30 }),
      (contents, chosen, limit) => {
        const engine = new Engine();
        contents.forEach((list, i) => {
          if (list.length > 0) engine.call('SADD', `s${i}`, ...list);
        });
        const sets = chosen.map((i) => new Set(contents[i] ?? []));
        const keys = chosen.map((i) => `s${i}`);
        const [first, ...rest] = sets;
        const shared = [...first].filter((text) => rest.every((set) => set.has(text)));
        const expected: Record<string, string[]> = {
          SINTER: shared,
          SUNION: [...new Set(sets.flatMap((set) => [...set]))],
          SDIFF: [...first].filter((text) => !rest.some((set) => set.has(text))),
        };
        for (const [command, result] of Object.entries(expected)) {
          assert.deepEqual(sorted(engine.call(command, ...keys)), result.sort(), command);
          assert.equal(engine.call(`${command}STORE`, 'd', ...keys), result.length);
          assert.deepEqual(sorted(engine.call('SMEMBERS', 'd')), result, command);
        }
        assert.equal(engine.call('SINTERCARD', keys.length, ...keys), shared.length);
        const limited = limit === 0 ? shared.length : Math.min(limit, shared.length);
        assert.equal(engine.call('SINTERCARD', keys.length, ...keys, 'LIMIT', limit), limited);
      },
    ),
  );
});

test('reads leave the slab as it was', () => {
  const engine = new Engine();
  for (let i = 0; i < 500; i++) engine.call('SADD', i % 2 ? 'a' : 'b', `member ${i}`);
  const before = engine.keyspace.slab.usedBytes;
  assert.equal((engine.call('SUNION', 'a', 'b') as string[]).length, 500);
  assert.equal((engine.call('SDIFF', 'a', 'b', 'b', 'b') as string[]).length, 250);
  assert.equal(engine.call('SDIFFSTORE', 'd', 'a', 'a'), 0);
  assert.equal(engine.keyspace.slab.usedBytes, before);
});
