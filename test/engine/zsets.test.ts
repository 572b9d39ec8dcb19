/** Sorted sets in process: tables of commands, and both encodings against a plain model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine, Restore } from '../../engine/index.js';
import { viewOf } from '../../engine/protocol/view.js';
import type { ScoredTable } from '../../engine/values/scored-table.js';
import { type Argument, answer, encodingOf, script } from './script.js';

test('ZADD: conditions, what is counted, and what is refused', () => {
  script([
    ['ZADD z 1 a 2 b 3 c', 3],
    ['ZADD z 1 a 5 b 4 d', 1],
    ['ZADD z CH 1 a 2 b 9 e', 2],
    ['ZADD z NX 7 a 7 f', 1],
    ['ZADD z XX CH 8 a 8 none', 1],
    ['ZADD z GT CH 7 a 9 c 1 g', 2],
    ['ZADD z LT CH 9 a 1 c', 1],
    ['ZADD z CH GT 3 h 4 h', 2],
    ['ZADD z GT INCR -1 h', null],
    ['ZADD z INCR 0 h', 4],
    ['ZADD z NX INCR 1 h', null],
    ['ZADD none XX 1 a', 0],
    ['ZADD none XX INCR 1 a', null],
    ['EXISTS none', 0],
    ['ZADD z inf h', 0],
    ['ZINCRBY z -inf h', '!ERR resulting score is not a number (NaN)'],
    ['ZADD z NX XX 1', '!ERR syntax error'],
    ['ZADD z NX XX 1 a', '!ERR XX and NX options at the same time are not compatible'],
    ['ZADD z GT LT 1 a', '!ERR GT, LT, and/or NX options at the same time are not compatible'],
    ['ZADD z INCR 1 a 2 b', '!ERR INCR option supports a single increment-element pair'],
    ['ZADD z 1 a nan b', '!ERR value is not a valid float'],
    ['ZADD z 0x10 hex', 1],
    ['ZSCORE z hex', 16],
    ['ZRANGE z 0 -1', ['c', 'g', 'b', 'd', 'f', 'a', 'e', 'hex', 'h']],
  ]);
});

test('a packed set keeps no sign of zero, a table does', () => {
  const engine = script([
    ['ZADD packed -0 a', 1],
    ['ZADD table -0 a', 1],
  ]);
  engine.call('ZADD', 'table', 1, 'm'.repeat(65));
  engine.call('ZADD', 'table', '-0', 'b', '0', 'c');
  engine.call('ZADD', 'table', '-0', 'c');
  assert.ok(Object.is(engine.call('ZSCORE', 'packed', 'a'), 0));
  assert.ok(Object.is(engine.call('ZSCORE', 'table', 'a'), 0), 'it was packed when it came');
  assert.ok(Object.is(engine.call('ZSCORE', 'table', 'b'), -0));
  assert.ok(Object.is(engine.call('ZSCORE', 'table', 'c'), 0), 'an equal score changes nothing');
});

test('encodings turn at the thresholds, one way', () => {
  const engine = new Engine();
  for (let i = 0; i < 128; i++) engine.call('ZADD', 'many', i, `m${i}`);
  assert.equal(encodingOf(engine, 'many'), 'listpack');
  engine.call('ZADD', 'many', 5, 'm127');
  assert.equal(encodingOf(engine, 'many'), 'listpack');
  engine.call('ZADD', 'many', 5, 'one more');
  assert.equal(encodingOf(engine, 'many'), 'skiplist');
  engine.call('ZREMRANGEBYRANK', 'many', 1, -1);
  assert.equal(encodingOf(engine, 'many'), 'skiplist');
  engine.call('ZADD', 'long', 1, 'm'.repeat(64));
  assert.equal(encodingOf(engine, 'long'), 'listpack');
  engine.call('ZADD', 'long', 1, 'm'.repeat(65));
  assert.equal(encodingOf(engine, 'long'), 'skiplist');
  engine.call('ZRANGESTORE', 'stored', 'long', 0, 0);
  assert.equal(encodingOf(engine, 'stored'), 'listpack');
  engine.call('ZUNIONSTORE', 'stored', 1, 'long');
  assert.equal(encodingOf(engine, 'stored'), 'skiplist');
  engine.call('ZINTERSTORE', 'stored', 2, 'many', 'many');
  assert.equal(encodingOf(engine, 'stored'), 'listpack');
});

test('ranges: bounds, offsets, and what is refused', () => {
  script([
    ['ZADD z 1 a 2 b 2 c 3 d', 4],
    ['ZRANGE z (1 2 BYSCORE', ['b', 'c']],
    ['ZRANGE z 2 (1 BYSCORE REV', ['c', 'b']],
    ['ZRANGE z -inf +inf BYSCORE LIMIT 1 2', ['b', 'c']],
    ['ZREVRANGEBYSCORE z +inf -inf LIMIT 1 -1', ['c', 'b', 'a']],
    ['ZRANGEBYSCORE z 0 9 LIMIT -1 2', []],
    ['ZRANGEBYSCORE z 2 (2', []],
    ['ZCOUNT z (1 (3', 2],
    ['ZREVRANGE z 1 2', ['c', 'b']],
    [
      'ZRANGE z 0 -1 LIMIT 0 1',
      '!ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
    ],
    ['ZRANGE z 0 -1 LIMIT 5 -1', ['a', 'b', 'c', 'd']],
    [
      'ZRANGE z - + BYLEX WITHSCORES',
      '!ERR syntax error, WITHSCORES not supported in combination with BYLEX',
    ],
    ['ZRANGE z x 1 BYSCORE', '!ERR min or max is not a float'],
    ['ZRANGE z a + BYLEX', '!ERR min or max not valid string range item'],
    ['ZRANGE z 0 1 REV REV', '!ERR syntax error'],
    ['ZADD l 0 a 0 b 0 c', 3],
    ['ZRANGEBYLEX l (a +', ['b', 'c']],
    ['ZREVRANGEBYLEX l [b -', ['b', 'a']],
    ['ZRANGEBYLEX l + -', []],
    ['ZLEXCOUNT l [b [b', 1],
    ['ZRANGESTORE l z 0 0 REV', 1],
    ['ZRANGE l 0 -1 WITHSCORES', ['d', 3]],
    ['ZRANGESTORE l z 9 9', 0],
    ['EXISTS l', 0],
  ]);
});

test('combinations: weights, sums of infinities, sets as inputs', () => {
  script([
    ['ZADD x 1 a 2 b inf c', 3],
    ['ZADD y 10 b -inf c 30 d', 3],
    ['SADD s a b e', 3],
    ['ZUNION 2 x y WITHSCORES', ['c', 0, 'a', 1, 'b', 12, 'd', 30]],
    [
      'ZUNION 3 x y s WEIGHTS 2 1 5 AGGREGATE MAX WITHSCORES',
      ['a', 5, 'e', 5, 'b', 10, 'd', 30, 'c', Infinity],
    ],
    ['ZINTER 2 x s WITHSCORES', ['a', 2, 'b', 3]],
    ['ZINTERCARD 3 x y s', 1],
    ['ZINTERCARD 2 x x LIMIT 2', 2],
    ['ZDIFF 2 x s WITHSCORES', ['c', Infinity]],
    ['ZDIFFSTORE x 2 x x', 0],
    ['EXISTS x', 0],
    ['ZUNION 0 x', "!ERR at least 1 input key is needed for 'zunion' command"],
    ['ZUNION 2 x', '!ERR syntax error'],
    ['ZUNION 1 y WEIGHTS x', '!ERR weight value is not a float'],
    ['ZUNION 1 y AGGREGATE AVG', '!ERR syntax error'],
    ['ZDIFF 1 y WEIGHTS 1', '!ERR syntax error'],
    ['ZUNIONSTORE d 1 y WITHSCORES', '!ERR syntax error'],
  ]);
});

test('pops', () => {
  script([
    ['ZADD z 1 a 2 b 3 c 4 d', 4],
    ['ZPOPMIN z', ['a', 1]],
    ['ZPOPMAX z 2', ['d', 4, 'c', 3]],
    ['ZPOPMIN z 0', []],
    ['ZPOPMIN z -1', '!ERR value is out of range, must be positive'],
    ['ZMPOP 2 none z MAX COUNT 5', ['z', [['b', 2]]]],
    ['ZMPOP 2 none z MAX', null],
    ['EXISTS z', 0],
    ['ZMPOP 1 z MAX COUNT 0', '!ERR count should be greater than 0'],
    ['ZMPOP 0 z MAX', '!ERR numkeys should be greater than 0'],
  ]);
});

// ---- both encodings against a model ----

/** A sorted set as plain as can be. */
class Model {
  readonly scores = new Map<string, number>();

  sorted(): [string, number][] {
    return [...this.scores].sort(([m, a], [n, b]) =>
      a === b ? (m < n ? -1 : m > n ? 1 : 0) : a < b ? -1 : 1,
    );
  }

  run(command: readonly Argument[]): unknown {
    const [name, , ...rest] = command;
    const all = this.sorted();
    const within = (low: Argument, high: Argument) =>
      all.filter(([, score]) => score >= Number(low) && score <= Number(high));
    const slice = (start: Argument, stop: Argument) =>
      all.slice(Number(start), Number(stop) === -1 ? undefined : Number(stop) + 1);
    const drop = (pairs: [string, number][]): number => {
      for (const [member] of pairs) this.scores.delete(member);
      return pairs.length;
    };
    switch (name) {
      case 'ZADD': {
        let added = 0;
        for (let i = 0; i < rest.length; i += 2) {
          if (!this.scores.has(String(rest[i + 1]))) added++;
          this.scores.set(String(rest[i + 1]), Number(rest[i]));
        }
        return added;
      }
      case 'ZREM':
        return this.scores.delete(String(rest[0])) ? 1 : 0;
      case 'ZINCRBY': {
        const score = (this.scores.get(String(rest[1])) ?? 0) + Number(rest[0]);
        this.scores.set(String(rest[1]), score);
        return score;
      }
      case 'ZRANK': {
        const rank = all.findIndex(([member]) => member === rest[0]);
        return rank < 0 ? null : rank;
      }
      case 'ZCOUNT':
        return within(rest[0], rest[1]).length;
      case 'ZREVRANGEBYSCORE':
        return within(rest[1], rest[0])
          .reverse()
          .slice(Number(rest[3]), Number(rest[3]) + Number(rest[4]))
          .map(([member]) => member);
      case 'ZRANGE':
        return slice(rest[0], rest[1]).flat();
      case 'ZREVRANGE':
        return all
          .reverse()
          .slice(Number(rest[0]), Number(rest[1]) + 1)
          .flat();
      case 'ZREMRANGEBYSCORE':
        return drop(within(rest[0], rest[1]));
      case 'ZREMRANGEBYRANK':
        return drop(slice(rest[0], rest[1]));
      case 'ZPOPMAX': {
        const popped = all.reverse().slice(0, Number(rest[0]));
        drop(popped);
        return popped.flat();
      }
    }
    throw new Error(`no model of ${name}`);
  }
}

const member = fc.oneof(
  fc.nat({ max: 30 }).map(String),
  fc.nat({ max: 30 }).map((n) => `m${n}`),
  fc.constantFrom('', '-1', 'longer than most', '99999999999'),
);
const score = fc.oneof(
  fc.integer({ min: -3, max: 3 }).map((n) => n + 0),
  fc.constantFrom(0.1, -2.5, 1e20, 2 ** 53, 1 / 3, -1e-7, 123456789012345),
);
const rank = fc.nat({ max: 40 });
const zsetCommand: fc.Arbitrary<Argument[]> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('ZADD'), fc.constant('z'), score, member) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(score, member), { minLength: 1, maxLength: 12 })
      .map((pairs) => ['ZADD', 'z', ...pairs.flat()]),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constant('ZREM'), fc.constant('z'), member) },
  fc.tuple(fc.constant('ZINCRBY'), fc.constant('z'), score, member),
  fc.tuple(fc.constant('ZRANK'), fc.constant('z'), member),
  fc.tuple(fc.constant('ZCOUNT'), fc.constant('z'), score, score),
  fc.tuple(fc.constant('ZREVRANGEBYSCORE'), fc.constant('z'), score, score, fc.constant('LIMIT'), rank, rank),
  fc.tuple(fc.constant('ZRANGE'), fc.constant('z'), rank, rank, fc.constant('WITHSCORES')),
  fc.tuple(fc.constant('ZREVRANGE'), fc.constant('z'), rank, rank, fc.constant('WITHSCORES')),
  fc.tuple(fc.constant('ZREMRANGEBYSCORE'), fc.constant('z'), score, score),
  fc.tuple(fc.constant('ZREMRANGEBYRANK'), fc.constant('z'), rank, rank),
  fc.tuple(fc.constant('ZPOPMAX'), fc.constant('z'), fc.nat({ max: 4 })),
);

test('packed, turning and always large sets behave as a plain sorted list', () => {
  fc.assert(
    fc.property(fc.array(zsetCommand, { maxLength: 120 }), (commands) => {
      for (const entries of [1000, 12, 0]) {
        const engine = new Engine({ settings: { 'zset-max-listpack-entries': entries } });
        const model = new Model();
        for (const command of commands)
          assert.deepEqual(answer(engine, command), model.run(command), `${entries}: ${command.join(' ')}`);
        assert.deepEqual(engine.call('ZRANGE', 'z', 0, -1, 'WITHSCORES'), model.sorted().flat());
        assert.equal(engine.call('EXISTS', 'z'), model.scores.size > 0 ? 1 : 0);
      }
    }),
    { numRuns: 150 },
  );
});

// ---- large sets ----

/** Numbers that repeat on every run, spread over `bound`. */
function numbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

function tableOf(engine: Engine, key: string): ScoredTable {
  const database = engine.keyspace.database(0);
  return database.object(database.find(viewOf(key))) as ScoredTable;
}

test('ranks and positions agree in a tree of several levels, whatever was added and removed', () => {
  const engine = new Engine();
  const model = new Model();
  const next = numbers(1);
  const run = (...command: Argument[]): void => {
    assert.deepEqual(engine.call(...command), model.run(command));
  };
  const add = (count: number): void => {
    const pairs: Argument[] = [];
    for (let i = 0; i < count; i++) pairs.push(next(5000), `member ${next(40_000)}`);
    run('ZADD', 'z', ...pairs);
  };
  const check = (): void => {
    const table = tableOf(engine, 'z');
    table.order.checkValid(true);
    const all = model.sorted();
    assert.equal(table.size, all.length);
    assert.equal(table.order.size, all.length);
    for (let at = 0; at < all.length; at += 37) {
      const [name, ofScore] = all[at];
      assert.equal(engine.call('ZRANK', 'z', name), at);
      assert.deepEqual(engine.call('ZRANGE', 'z', at, at + 1, 'WITHSCORES'), all.slice(at, at + 2).flat());
      assert.equal(
        engine.call('ZCOUNT', 'z', '-inf', `(${ofScore}`),
        all.findIndex(([, s]) => s === ofScore),
      );
    }
  };
  for (let i = 0; i < 20; i++) add(1000);
  check();
  run('ZREMRANGEBYRANK', 'z', 3000, 11_000);
  check();
  for (const [name] of model.sorted().filter((_, at) => at % 3 > 0)) {
    engine.call('ZREM', 'z', name);
    model.scores.delete(name);
  }
  check();
  add(2000);
  check();
});

test('ascending and descending insertion fill the tree as well', () => {
  for (const sign of [1, -1]) {
    const engine = new Engine();
    for (let i = 0; i < 6000; i++) engine.call('ZADD', 'z', i * sign, `m${i}`);
    tableOf(engine, 'z').order.checkValid(true);
    assert.equal(engine.call('ZRANK', 'z', 'm17'), sign === 1 ? 17 : 5982);
    assert.equal(engine.call('ZCOUNT', 'z', '-inf', 'inf'), 6000);
  }
});

test('ranges by member in a large set: exact where scores are equal', () => {
  const engine = new Engine();
  const names = Array.from({ length: 3000 }, (_, i) => `m${String(i).padStart(4, '0')}`);
  engine.call('ZADD', 'z', ...names.flatMap((name) => [0, name]));
  assert.equal(engine.call('ZLEXCOUNT', 'z', '-', '+'), 3000);
  assert.equal(engine.call('ZLEXCOUNT', 'z', '[m0100', '(m0200'), 100);
  assert.deepEqual(engine.call('ZREVRANGEBYLEX', 'z', '(m2000', '-', 'LIMIT', 1, 2), ['m1998', 'm1997']);
  assert.equal(engine.call('ZREMRANGEBYLEX', 'z', '(m0000', '[m2998'), 2998);
  assert.deepEqual(engine.call('ZRANGE', 'z', 0, -1), ['m0000', 'm2999']);
});

test('what follows from an order does not depend on the shape of its tree', () => {
  // A restored engine has the same order in another tree. Ranges by member over different scores are where
  // that could show.
  const next = numbers(7);
  const engine = new Engine();
  for (let i = 0; i < 4000; i++) engine.call('ZADD', 'z', next(50), `m${next(900)}`);
  for (let i = 0; i < 1500; i++) engine.call('ZREM', 'z', `m${next(900)}`);
  const cut = engine.cut();
  const restore = new Restore();
  for (let bytes = cut.next(() => true); bytes !== undefined; bytes = cut.next(() => true))
    restore.feed(bytes);
  const copy = restore.finish();
  assert.equal(copy.digest(), engine.digest());
  tableOf(copy, 'z').order.checkValid(true);
  for (let i = 0; i < 40; i++) {
    const bounds = [`[m${next(900)}`, `(m${next(900)}`];
    for (const command of [
      ['ZRANGEBYLEX', 'z', ...bounds],
      ['ZREVRANGEBYLEX', 'z', ...bounds.reverse()],
      ['ZREMRANGEBYLEX', 'z', bounds[0], `${bounds[0]}0`],
    ])
      assert.deepEqual(copy.call(...command), engine.call(...command));
  }
  assert.equal(copy.digest(), engine.digest());
});

test('ZRANDMEMBER draws members that are there, different ones for a positive count', () => {
  for (const size of [50, 500]) {
    const engine = new Engine();
    for (let i = 0; i < size; i++) engine.call('ZADD', 'z', i, `m${i}`);
    const some = engine.call('ZRANDMEMBER', 'z', 20) as string[];
    assert.equal(new Set(some).size, 20);
    assert.equal((engine.call('ZRANDMEMBER', 'z', size + 1) as string[]).length, size);
    const pairs = engine.call('ZRANDMEMBER', 'z', -80, 'WITHSCORES') as (string | number)[];
    assert.equal(pairs.length, 160);
    for (let i = 0; i < pairs.length; i += 2) assert.equal(pairs[i], `m${pairs[i + 1]}`);
  }
  script([
    ['ZADD z 1 a', 1],
    ['ZRANDMEMBER z', 'a'],
    ['ZRANDMEMBER none', null],
    ['ZRANDMEMBER none 3 WITHSCORES', []],
    ['ZRANDMEMBER z 1 WITHVALUES', '!ERR syntax error'],
    ['ZRANDMEMBER z 9223372036854775807 WITHSCORES', '!ERR value is out of range'],
  ]);
});

test('a large set gives all its memory back', () => {
  const engine = new Engine();
  for (let i = 0; i < 5000; i++) engine.call('ZADD', 'z', i, `m${i}`);
  engine.call('ZUNION', 1, 'z');
  engine.call('ZUNIONSTORE', 'y', 2, 'z', 'z', 'AGGREGATE', 'MIN');
  engine.call('DEL', 'z', 'y');
  while (engine.keyspace.hasDiscarded) engine.keyspace.freeDiscarded(100);
  assert.equal(engine.keyspace.slab.usedBytes, 0);
});
