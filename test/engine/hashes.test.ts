/** Hashes in process: one line a case, and both forms against a plain model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../engine/index.js';
import { Pairs } from '../../engine/protocol/reply.js';
import { answer, encodingOf, script, sorted } from './script.js';

const WRONG_TYPE = '!WRONGTYPE Operation against a key holding the wrong kind of value';

test('setting, getting, deleting', () => {
  const engine = script([
    ['HSET h a 1 b 2 a 3', 2],
    ['HSET h a 4', 0],
    ['HGETALL h', ['a', '4', 'b', '2']],
    ['HSET h a', "!ERR wrong number of arguments for 'hset' command"],
    ['HMSET h a 1 b', "!ERR wrong number of arguments for 'hmset' command"],
    ['HMSET h c x', 'OK'],
    ['HSETNX h c y', 0],
    ['HSETNX h d 1.50', 1],
    ['HMGET h c nope d', ['x', null, '1.50']],
    ['HKEYS h', ['a', 'b', 'c', 'd']],
    ['HVALS h', ['4', '2', 'x', '1.50']],
    ['HLEN h', 4],
    ['HSTRLEN h d', 4],
    ['HSTRLEN h nope', 0],
    ['HEXISTS h b', 1],
    ['HEXISTS h nope', 0],
    ['HDEL h b nope a', 2],
    ['HGETALL h', ['c', 'x', 'd', '1.50']],
    ['HDEL h c d more', 2],
    ['HLEN h', 0],
    ['HGETALL h', []],
    ['HMGET h a b', [null, null]],
    ['HGET h a', null],
    ['SET s v', 'OK'],
    ['HSET s a 1', WRONG_TYPE],
    ['HGET s a', WRONG_TYPE],
    ['HINCRBY s a x', '!ERR value is not an integer or out of range'],
  ]);
  assert.equal(encodingOf(engine, 'h'), undefined, 'the last field takes the key with it');
});

test('counters', () => {
  script([
    ['HINCRBY h n 9223372036854775807', 9223372036854775807n],
    ['HINCRBY h n 1', '!ERR increment or decrement would overflow'],
    ['HINCRBY h n -1', 9223372036854775806n],
    ['HSET h t 01 e 1e400', 2],
    ['HINCRBY h t 1', '!ERR hash value is not an integer'],
    ['HINCRBYFLOAT h t 1.5', '2.5'],
    ['HINCRBYFLOAT h t x', '!ERR value is not a valid float'],
    ['HINCRBYFLOAT h t inf', '!ERR value is NaN or Infinity'],
    ['HINCRBYFLOAT h fresh 10.50', '10.5'],
    ['HSET h t x', 0],
    ['HINCRBYFLOAT h t 1', '!ERR hash value is not a float'],
    ['HSET h m 1.1e4932', 1],
    ['HINCRBYFLOAT h m 1.1e4932', '!ERR increment would produce NaN or Infinity'],
  ]);
});

test('thresholds: entries and bytes, one way', () => {
  const engine = new Engine();
  for (let i = 0; i < 512; i++) engine.call('HSET', 'entries', `f${i}`, i);
  assert.equal(encodingOf(engine, 'entries'), 'listpack');
  engine.call('HSET', 'entries', 'f0', 'again');
  assert.equal(encodingOf(engine, 'entries'), 'listpack');
  engine.call('HSET', 'entries', 'f512', 1);
  assert.equal(encodingOf(engine, 'entries'), 'hashtable');
  for (let i = 1; i <= 512; i++) engine.call('HDEL', 'entries', `f${i}`);
  assert.equal(encodingOf(engine, 'entries'), 'hashtable');
  assert.deepEqual(engine.call('HGETALL', 'entries'), ['f0', 'again']);

  const long = 'x'.repeat(65);
  engine.call('HSET', 'value', 'f', 'x'.repeat(64));
  assert.equal(encodingOf(engine, 'value'), 'listpack');
  engine.call('HSETNX', 'value', 'f', long);
  assert.equal(encodingOf(engine, 'value'), 'listpack', 'nothing was set');
  engine.call('HSET', 'value', 'f', long);
  assert.equal(encodingOf(engine, 'value'), 'hashtable');
  engine.call('HINCRBY', 'field', long, 1);
  assert.equal(encodingOf(engine, 'field'), 'hashtable');
  engine.call('HINCRBYFLOAT', 'float', 'f', '1e70');
  assert.equal(encodingOf(engine, 'float'), 'hashtable');

  const many = Array.from({ length: 600 }, (_, i) => [`f${i % 500}`, i]).flat();
  engine.call('HSET', 'doubles', ...many);
  assert.equal(encodingOf(engine, 'doubles'), 'listpack', 'fields count once');
  engine.call('HSET', 'at once', ...Array.from({ length: 600 }, (_, i) => [`f${i}`, i]).flat());
  assert.equal(encodingOf(engine, 'at once'), 'hashtable');
  assert.equal(engine.call('HLEN', 'at once'), 600);
});

const bytes = fc.oneof(
  fc.constantFrom('', '0', '-1', '127', '4096', '-9223372036854775808', '01', '-0', 'ä', '\0'),
  fc.string({ maxLength: 12 }),
  fc.integer().map(String),
);
const field = fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 12 }).map((n) => `f${n}`) }, bytes);

test('both forms are a map: packed keeps the order of first setting', () => {
  const change = fc.oneof(
    fc.tuple(fc.constant('HSET'), field, bytes),
    fc.tuple(fc.constant('HDEL'), field, fc.constant('')),
    fc.tuple(fc.constant('HSETNX'), field, bytes),
  );
  fc.assert(
    fc.property(fc.array(change, { maxLength: 80 }), (list) => {
      const engine = new Engine({
        settings: { 'hash-max-listpack-entries': 8, 'hash-max-listpack-value': 11 },
      });
      let model = new Map<string, string>();
      let isTable = false;
      for (const [command, name, text] of list) {
        const had = model.has(name);
        if (command === 'HDEL') {
          assert.equal(engine.call('HDEL', 'h', name), had ? 1 : 0);
          model.delete(name);
          if (model.size === 0) isTable = false;
        } else {
          assert.equal(engine.call(command, 'h', name, text), had ? 0 : 1);
          if (command === 'HSETNX' && had) continue;
          isTable ||= Buffer.byteLength(name) > 11 || Buffer.byteLength(text) > 11;
          model = model.set(name, text);
          isTable ||= model.size > 8;
        }
        assert.equal(engine.call('HGET', 'h', name), model.get(name) ?? null);
        assert.equal(engine.call('HLEN', 'h'), model.size);
        const form: string = isTable ? 'hashtable' : 'listpack';
        assert.equal(encodingOf(engine, 'h'), model.size === 0 ? undefined : form);
        const all = engine.call('HGETALL', 'h') as string[];
        if (!isTable) assert.deepEqual(all, [...model].flat());
        else {
          assert.equal(all.length, model.size * 2);
          for (let i = 0; i < all.length; i += 2) assert.equal(model.get(all[i]), all[i + 1]);
        }
      }
    }),
  );
});

test('HRANDFIELD counts as Redis does, in both forms', () => {
  for (const size of [5, 2000]) {
    const engine = new Engine();
    for (let i = 0; i < size; i++) engine.call('HSET', 'h', `f${i}`, `v${i}`);
    const draw = (...args: (string | number)[]): string[] =>
      engine.call('HRANDFIELD', 'h', ...args) as string[];
    assert.match(engine.call('HRANDFIELD', 'h') as string, /^f\d+$/);
    for (const count of [0, 1, 3, size - 1, size, size + 5]) {
      const fields = draw(count);
      assert.equal(fields.length, Math.min(count, size));
      assert.equal(new Set(fields).size, fields.length, 'different fields');
      const pairs = draw(count, 'WITHVALUES');
      for (let i = 0; i < pairs.length; i += 2) assert.equal(`f${pairs[i + 1].slice(1)}`, pairs[i]);
    }
    const repeated = draw(-10 * size);
    assert.equal(repeated.length, 10 * size);
    assert.equal(sorted(draw(size)).length, size);
    if (size === 5) assert.equal(new Set(repeated).size, size, 'every field comes up');
    assert.ok(engine.callRaw(0, ['HRANDFIELD', 'h', 1, 'WITHVALUES']) instanceof Pairs);
  }
  script([
    ['HRANDFIELD none', null],
    ['HRANDFIELD none 3', []],
    ['HSET h a 1', 1],
    ['HRANDFIELD h x', '!ERR value is not an integer or out of range'],
    ['HRANDFIELD h 1 FOO', '!ERR syntax error'],
    ['HRANDFIELD h 1 WITHVALUES x', '!ERR syntax error'],
    ['HRANDFIELD h 4611686018427387904 WITHVALUES', '!ERR value is out of range'],
    [
      'HRANDFIELD h -9223372036854775808',
      '!ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
    ],
  ]);
  const engine = new Engine();
  engine.call('HSET', 'h', 'a', 1);
  assert.equal(
    answer(engine, ['HRANDFIELD', 'h', '-20000000']),
    '!ERR value is out of range, the reply would have too many elements',
  );
});

test('memory comes back when a big hash goes', () => {
  const engine = new Engine();
  const before = engine.keyspace.slab.usedBytes;
  for (let i = 0; i < 5000; i++) engine.call('HSET', 'h', `field ${i}`, `value ${i}`);
  for (let i = 0; i < 2500; i++) engine.call('HSET', 'h', `field ${i}`, 'x'.repeat(i % 300));
  for (let i = 0; i < 4000; i++) engine.call('HDEL', 'h', `field ${i}`);
  const database = engine.keyspace.database(0);
  const table = engine.keyspace.slab.usedBytes - before - database.recordBytes(0);
  const { memoryBytes } = database.object(0);
  assert.ok(memoryBytes >= table && memoryBytes < table + 100_000, `${memoryBytes} for ${table}`);
  database.delete(0);
  while (engine.keyspace.hasDiscarded) engine.keyspace.freeDiscarded(100);
  assert.equal(engine.keyspace.slab.usedBytes, before);
});
