/** Sets in process: one line a case, and every form against a plain model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../engine/index.js';
import { encodingOf, script, sorted } from './script.js';

const WRONG_TYPE = '!WRONGTYPE Operation against a key holding the wrong kind of value';

test('adding, asking, removing', () => {
  const engine = script([
    ['SADD s 3 1 2 1', 3],
    ['SMEMBERS s', ['1', '2', '3']],
    ['SADD s b a', 2],
    ['SMEMBERS s', ['1', '2', '3', 'b', 'a']],
    ['SADD s 2 a', 0],
    ['SCARD s', 5],
    ['SISMEMBER s 2', 1],
    ['SISMEMBER s 02', 0],
    ['SMISMEMBER s a x 1', [1, 0, 1]],
    ['SMISMEMBER none a b', [0, 0]],
    ['SREM s 1 x b', 2],
    ['SREM s 2 3 a more', 3],
    ['SCARD s', 0],
    ['SMEMBERS s', []],
    ['SPOP s', null],
    ['SPOP s 2', []],
    ['SET str v', 'OK'],
    ['SADD str a', WRONG_TYPE],
    ['SISMEMBER str a', WRONG_TYPE],
    ['SPOP str 1', WRONG_TYPE],
    ['SPOP str -1', '!ERR value is out of range, must be positive'],
    ['SPOP str x', '!ERR value is out of range, must be positive'],
    ['SPOP str 1 2', '!ERR syntax error'],
    ['SRANDMEMBER str 1 2', '!ERR syntax error'],
    ['SRANDMEMBER str x', '!ERR value is not an integer or out of range'],
    [
      'SRANDMEMBER str -9223372036854775808',
      '!ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
    ],
  ]);
  assert.equal(encodingOf(engine, 's'), undefined, 'the last member takes the key with it');
});

test('SMOVE', () => {
  const engine = script([
    ['SADD a 1 2 x', 3],
    ['SET str v', 'OK'],
    ['SMOVE none str 1', 0],
    ['SMOVE a str 1', WRONG_TYPE],
    ['SMOVE str a 1', WRONG_TYPE],
    ['SMOVE a a 1', 1],
    ['SMOVE a a 9', 0],
    ['SMOVE a b 9', 0],
    ['SMOVE a b 1', 1],
    ['SMOVE a b x', 1],
    ['SMEMBERS b', ['1', 'x']],
    ['SADD b 2', 1],
    ['SMOVE a b 2', 1],
    ['SMEMBERS b', ['1', 'x', '2']],
  ]);
  assert.equal(encodingOf(engine, 'a'), undefined);
});

test('keys whose time has come do not mislead commands of several keys', () => {
  const engine = new Engine({ settings: { 'active-expire': 0 } });
  engine.setTime(1_000_000);
  engine.call('SET', 'due', 'v', 'PX', 10);
  engine.call('SET', 'due too', 'v', 'PX', 10);
  engine.call('SADD', 'a', 1, 2, 3);
  engine.call('SADD', 'b', 2, 3, 4);
  engine.fastForward(20);
  assert.equal(engine.call('SUNIONSTORE', 'd', 'b', 'due', 'a'), 4);
  assert.equal(engine.call('SMOVE', 'due too', 'a', 1), 0);
  assert.equal(engine.call('SMOVE', 'a', 'due too', 1), 1);
  assert.deepEqual(engine.call('SMEMBERS', 'due too'), ['1']);
  assert.deepEqual(engine.call('SMEMBERS', 'd'), ['1', '2', '3', '4']);
});

test('thresholds, one way', () => {
  const engine = new Engine();
  for (let i = 0; i < 512; i++) engine.call('SADD', 'ints', i * 1000);
  assert.equal(encodingOf(engine, 'ints'), 'intset');
  engine.call('SADD', 'ints', 7);
  assert.equal(encodingOf(engine, 'ints'), 'hashtable');
  for (let i = 1; i < 512; i++) engine.call('SREM', 'ints', i * 1000);
  assert.equal(encodingOf(engine, 'ints'), 'hashtable');
  engine.call('SADD', 'one', '9223372036854775807');
  assert.equal(encodingOf(engine, 'one'), 'intset');
  engine.call('SADD', 'one', '9223372036854775808');
  assert.equal(encodingOf(engine, 'one'), 'hashtable');
  engine.call('SADD', 'text', 'a');
  assert.equal(encodingOf(engine, 'text'), 'hashtable');
});

const member = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -20, max: 140 }).map(String) },
  fc.integer({ min: -3, max: 3 }).map((n) => `${BigInt(n) * 4611686018427387904n}`),
  fc.constantFrom('', '01', '-0', '+1', 'x'.repeat(64), 'x'.repeat(65), '\0', 'é'),
  fc.nat({ max: 150 }).map((n) => `m${n}`),
);

test('every form is a set', () => {
  const change = fc.tuple(
    fc.constantFrom('SADD', 'SADD', 'SREM'),
    fc.oneof(
      fc.array(member, { minLength: 1, maxLength: 6 }),
      fc.array(member, { minLength: 60, maxLength: 150 }),
    ),
  );
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (list) => {
      const engine = new Engine({ settings: { 'set-max-intset-entries': 30 } });
      const model = new Set<string>();
      let isIntset = true;
      for (const [command, members] of list) {
        let count = 0;
        for (const text of members) {
          if (command === 'SREM') {
            if (model.delete(text)) count++;
            continue;
          }
          if (model.size === 0 && count === 0) isIntset = true;
          if (!model.has(text)) count++;
          model.add(text);
          const isInteger =
            /^(0|-?[1-9][0-9]*)$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
          isIntset &&= isInteger && model.size <= 30;
        }
        assert.equal(engine.call(command, 's', ...members), count);
        assert.deepEqual(sorted(engine.call('SMEMBERS', 's')), [...model].sort());
        assert.equal(engine.call('SCARD', 's'), model.size);
        for (const text of members)
          assert.equal(engine.call('SISMEMBER', 's', text), model.has(text) ? 1 : 0);
        const form: string = isIntset ? 'intset' : 'hashtable';
        assert.equal(encodingOf(engine, 's'), model.size === 0 ? undefined : form);
      }
    }),
  );
});

/** A set of each form: integers, few strings, many strings. */
const forms: readonly (readonly [name: string, members: readonly string[]])[] = [
  ['intset', Array.from({ length: 40 }, (_, i) => `${i}`)],
  ['listpack', Array.from({ length: 40 }, (_, i) => `m${i}`)],
  ['table', Array.from({ length: 3000 }, (_, i) => `m${i}`)],
];

test('SPOP takes different members, all of them in the end', () => {
  for (const [name, members] of forms) {
    const engine = new Engine();
    engine.call('SADD', 's', ...members);
    const popped: string[] = [engine.call('SPOP', 's') as string];
    for (const count of [0, 1, 7, members.length - 20, 5, members.length])
      popped.push(...(engine.call('SPOP', 's', count) as string[]));
    assert.deepEqual(popped.sort(), [...members].sort(), name);
    assert.equal(encodingOf(engine, 's'), undefined);
  }
});

test('SPOP draws evenly', () => {
  for (const [name, members] of forms.slice(0, 2)) {
    const engine = new Engine();
    const counts = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      engine.call('SADD', 's', ...members);
      const taken = engine.call('SPOP', 's', 4) as string[];
      for (const text of taken) counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    // 400 expected, standard deviation 19.
    for (const text of members) {
      const count = counts.get(text) ?? 0;
      assert.ok(count > 290 && count < 510, `${name}: ${text} came up ${count} times`);
    }
  }
});

test('SRANDMEMBER counts as Redis does and changes nothing', () => {
  for (const [name, members] of forms) {
    const engine = new Engine();
    engine.call('SADD', 's', ...members);
    const digest = engine.digest();
    for (const count of [0, 1, 5, members.length - 1, members.length, members.length + 1]) {
      const drawn = engine.call('SRANDMEMBER', 's', count) as string[];
      assert.equal(drawn.length, Math.min(count, members.length), name);
      assert.equal(new Set(drawn).size, drawn.length);
      for (const text of drawn) assert.ok(members.includes(text));
    }
    assert.equal((engine.call('SRANDMEMBER', 's', -100) as string[]).length, 100);
    assert.ok(members.includes(engine.call('SRANDMEMBER', 's') as string));
    assert.equal(engine.digest(), digest);
  }
});

test('two engines with different hash seeds stay equal', () => {
  const engines = [
    new Engine({ hashSeed: { low: 1, high: 2 } }),
    new Engine({ hashSeed: { low: 77, high: 3 } }),
  ];
  for (const engine of engines) {
    engine.seed(42);
    for (let i = 0; i < 700; i++) {
      engine.call('SADD', 'a', `m${i}`, i);
      engine.call('SADD', 'b', `m${i * 2}`);
      engine.call('HSET', 'h', `f${i}`, i);
      if (i % 3 === 0) engine.call('SPOP', 'a', 2);
      if (i % 5 === 0) engine.call('HDEL', 'h', `f${i >> 1}`);
    }
    engine.call('SINTERSTORE', 'i', 'a', 'b');
    engine.call('SDIFFSTORE', 'd', 'a', 'b', 'i');
    engine.call('SUNIONSTORE', 'u', 'd', 'b');
  }
  assert.equal(engines[0].digest(), engines[1].digest());
  assert.deepEqual(engines[0].call('SMEMBERS', 'u'), engines[1].call('SMEMBERS', 'u'));
});
