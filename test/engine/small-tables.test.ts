/**
 * Hashes and sorted sets past Redis's thresholds that are still small: packed, in Redis's names, and the same
 * to whoever asks.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine, restoreEngine } from '../../engine/index.js';
import { viewOf } from '../../engine/protocol/view.js';
import { Encoding } from '../../engine/storage/encoding.js';
import { encodingOf } from './script.js';

const layoutOf = (engine: Engine, key: string): number => {
  const database = engine.keyspace.database(0);
  return database.encoding(database.find(viewOf(key)));
};
const long = (i: number | string, length = 70): string => `${i}:`.padEnd(length, 'x');

test('a hash becomes packed, then a table, one way', () => {
  const engine = new Engine();
  engine.call('HSET', 'h', 'f', 'v');
  assert.equal(layoutOf(engine, 'h'), Encoding.listpackHash);
  engine.call('HSET', 'h', 'f', long(1));
  assert.equal(layoutOf(engine, 'h'), Encoding.packedHash);
  assert.equal(encodingOf(engine, 'h'), 'hashtable');
  engine.call('HSET', 'h', 'f', 'v');
  assert.equal(layoutOf(engine, 'h'), Encoding.packedHash);
  for (let i = 0; i < 63; i++) engine.call('HSET', 'h', `f${i}`, i);
  assert.equal(layoutOf(engine, 'h'), Encoding.packedHash);
  engine.call('HSET', 'h', 'one more', 'v');
  assert.equal(layoutOf(engine, 'h'), Encoding.hashTable);
  assert.equal(engine.call('HLEN', 'h'), 65);
  engine.call('HSET', 'i', 'f', long(1, 8000), 'g', long(2, 300));
  assert.equal(layoutOf(engine, 'i'), Encoding.hashTable);
});

test('thresholds below the count that stays packed', () => {
  const engine = new Engine({ settings: { 'hash-max-listpack-entries': 3, 'zset-max-listpack-entries': 3 } });
  for (let i = 0; i < 4; i++) {
    engine.call('HSET', 'h', `f${i}`, i);
    engine.call('ZADD', 'z', i, `m${i}`);
  }
  assert.deepEqual(
    [layoutOf(engine, 'h'), layoutOf(engine, 'z')],
    [Encoding.packedHash, Encoding.packedZset],
  );
  assert.deepEqual([encodingOf(engine, 'h'), encodingOf(engine, 'z')], ['hashtable', 'skiplist']);
});

test('-0 keeps its sign where Redis has a skiplist, and nowhere else', () => {
  const engine = new Engine();
  engine.call('ZADD', 'z', '-0', 'short');
  assert.equal(Object.is(engine.call('ZSCORE', 'z', 'short'), 0), true);
  engine.call('ZADD', 'z', '-0', long('a'));
  assert.equal(Object.is(engine.call('ZSCORE', 'z', long('a')), -0), true);
  assert.equal(Object.is(engine.call('ZSCORE', 'z', 'short'), 0), true);
  engine.call('ZUNIONSTORE', 'u', 1, 'z', 'WEIGHTS', '-1');
  assert.equal(Object.is(engine.call('ZSCORE', 'u', 'short'), -0), true);
});

/** A field or member by its number: some short, some past the threshold. */
const name = (i: number): string => (i % 3 === 0 ? long(i) : `n${i}`);
const step = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'remove'),
  i: fc.integer({ min: 0, max: 90 }),
  score: fc.constantFrom(0, -0, 1, 1.5, -3, 1e300),
  length: fc.constantFrom(1, 64, 65, 300),
});

test('whatever is done, hash and sorted set hold what a Map holds, and survive snapshot and DUMP', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const engine = new Engine();
      const hash = new Map<string, string>();
      const zset = new Map<string, number>();
      for (const { kind, i, score, length } of steps) {
        const field = name(i);
        if (kind === 'remove') {
          assert.equal(engine.call('HDEL', 'h', field), hash.delete(field) ? 1 : 0);
          assert.equal(engine.call('ZREM', 'z', field), zset.delete(field) ? 1 : 0);
          continue;
        }
        assert.equal(engine.call('HSET', 'h', field, long(i, length)), hash.has(field) ? 0 : 1);
        hash.set(field, long(i, length));
        assert.equal(engine.call('ZADD', 'z', score, field), zset.has(field) ? 0 : 1);
        zset.set(field, score);
      }
      const check = (key: string, zkey: string, on: Engine): void => {
        const all = on.call('HGETALL', key) as string[];
        assert.equal(all.length, 2 * hash.size);
        for (let i = 0; i < all.length; i += 2) assert.equal(all[i + 1], hash.get(all[i]));
        for (const [field, value] of hash) assert.equal(on.call('HGET', key, field), value);
        const expected = [...zset]
          .sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
          .map(([member]) => member);
        assert.deepEqual(on.call('ZRANGE', zkey, 0, -1), expected);
        for (const [member, score] of zset) {
          assert.equal((on.call('ZSCORE', zkey, member) as number) === score, true);
          assert.equal(on.call('ZRANK', zkey, member), expected.indexOf(member));
        }
      };
      check('h', 'z', engine);
      const restored = restoreEngine(engine.snapshot());
      assert.equal(restored.digest(), engine.digest());
      check('h', 'z', restored);
      for (const key of ['h', 'z']) {
        const payload = engine.callRaw(0, ['DUMP', key]);
        if (payload === null) continue;
        engine.call('RESTORE', `${key}2`, 0, payload as Buffer);
        // As in Redis, what was long and is gone does not count for the copy: it may be a listpack again.
        const same = encodingOf(engine, key) === encodingOf(engine, `${key}2`);
        assert.ok(same || encodingOf(engine, `${key}2`) === 'listpack');
      }
      if (hash.size > 0) check('h2', 'z2', engine);
    }),
    { numRuns: 150 },
  );
});
