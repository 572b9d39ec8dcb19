/** SCAN's guarantee, on the dictionary itself and through SSCAN, HSCAN and ZSCAN. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCursor, scanSlots } from '../../engine/commands/scan.js';
import { Engine } from '../../engine/index.js';
import { RequestBuilder } from '../../engine/protocol/request.js';
import { viewOf } from '../../engine/protocol/view.js';
import { Dictionary } from '../../engine/storage/dictionary.js';
import { Slab } from '../../engine/storage/slab.js';
import { answer, script } from './script.js';

interface Change {
  readonly insert: boolean;
  readonly number: number;
}

const changes = fc.array(
  fc.array(fc.record({ insert: fc.boolean(), number: fc.nat({ max: 60 }) }), { maxLength: 12 }),
  { minLength: 1, maxLength: 20 },
);

test('an entry that is there throughout is visited, whatever comes and goes meanwhile', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat({ max: 60 }), { maxLength: 40 }),
      fc.uniqueArray(fc.nat({ max: 100 }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 7 }),
      changes,
      (passing, staying, count, rounds) => {
        const dictionary = new Dictionary(new Slab(), { low: 1, high: 2 });
        const put = (key: string): void => {
          if (dictionary.find(viewOf(key)) < 0) dictionary.insert(viewOf(key), 0);
        };
        for (let i = 0; i < Math.max(passing.length, staying.length); i++) {
          if (i < passing.length) put(`passing ${passing[i]}`);
          if (i < staying.length) put(`staying ${staying[i]}`);
        }
        const seen = new Set<string>();
        let cursor = 0;
        let round = 0;
        do {
          cursor = scanSlots(dictionary, cursor, count, (slot) => seen.add(dictionary.keyText(slot)));
          for (const { insert, number } of rounds[round % rounds.length]) {
            // The walk ends although entries keep coming: they come behind it.
            const key = `passing ${number + (insert ? round : 0)}`;
            const slot = dictionary.find(viewOf(key));
            if (insert) put(key);
            else if (slot >= 0) dictionary.remove(slot);
          }
          assert.ok(++round < 200, 'the walk ends');
        } while (cursor !== 0);
        for (const number of staying) assert.ok(seen.has(`staying ${number}`), `staying ${number}`);
      },
    ),
    { numRuns: 500 },
  );
});

test('SSCAN, HSCAN and ZSCAN keep the guarantee across removals, insertions and the turn into a table', () => {
  const body = (kind: 'S' | 'H' | 'Z', staying: number, rounds: readonly (readonly Change[])[]): void => {
    const engine = new Engine();
    const add = (name: string): unknown =>
      kind === 'S'
        ? engine.call('SADD', 'k', name)
        : kind === 'H'
          ? engine.call('HSET', 'k', name, 'v')
          : engine.call('ZADD', 'k', name.length, name);
    for (let i = 0; i < staying; i++) {
      add(`passing ${i % 40}`);
      add(`staying ${i}`);
    }
    const seen = new Set<string>();
    let cursor = '0';
    let round = 0;
    do {
      const [next, elements] = engine.call(`${kind}SCAN`, 'k', cursor, 'COUNT', 5, 'MATCH', 's*') as [
        string,
        string[],
      ];
      cursor = next;
      for (let i = 0; i < elements.length; i += kind === 'S' ? 1 : 2) seen.add(elements[i]);
      for (const { insert, number } of rounds[round++ % rounds.length]) {
        if (insert) add(`passing ${number}`);
        else engine.call({ S: 'SREM', H: 'HDEL', Z: 'ZREM' }[kind], 'k', `passing ${number}`);
      }
    } while (cursor !== '0');
    assert.equal(seen.size, staying);
  };
  // 128 members and 512 fields are where tables begin.
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 160 }), changes, (n, rounds) => body('Z', n, rounds)),
    { numRuns: 40 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 160 }), changes, (n, rounds) => body('S', n, rounds)),
    {
      numRuns: 40,
    },
  );
  fc.assert(
    fc.property(fc.integer({ min: 470, max: 540 }), changes, (n, rounds) => body('H', n, rounds)),
    {
      numRuns: 10,
    },
  );
});

test('cursors are read as strtoul reads them', () => {
  const cursor = (text: string): number => parseCursor(new RequestBuilder().start().latin1(text).request, 0);
  assert.equal(cursor('17'), 17);
  assert.equal(cursor('+17'), 17);
  assert.equal(cursor(''), 0);
  assert.equal(cursor('-0'), 0);
  assert.equal(cursor('5\0anything'), 5);
  assert.equal(cursor('-18446744073709551615'), 1);
  assert.equal(cursor('18446744073709551615'), 2 ** 64);
  assert.equal(cursor('-1'), 2 ** 64);
  assert.equal(cursor('00000000000000000000000012'), 12);
  for (const text of ['x', ' 1', '1 ', '-', '0x10', '18446744073709551616', '1.0'])
    assert.throws(() => cursor(text), { text: 'ERR invalid cursor' }, text);
});

test('options and their errors, in the order of their checks', () => {
  const engine = script([
    ['SADD s a b c', 3],
    ['SSCAN none x', '!ERR invalid cursor'],
    ['SSCAN none 0 COUNT x', ['0', []]],
    ['SSCAN s 0 COUNT x', '!ERR value is not an integer or out of range'],
    ['SSCAN s 0 COUNT 0', '!ERR syntax error'],
    ['SSCAN s 0 COUNT', '!ERR syntax error'],
    ['SSCAN s 0 TYPE set', '!ERR syntax error'],
    ['SSCAN s 0 match [a-b] COUNT 1', ['0', ['a', 'b']]],
    ['SSCAN s 99 MATCH *', ['0', ['a', 'b', 'c']]],
    ['HSCAN s 0', '!WRONGTYPE Operation against a key holding the wrong kind of value'],
  ]);
  for (let i = 0; i < 1000; i++) engine.call('SADD', 'big', `m${i}`);
  assert.deepEqual(answer(engine, ['SSCAN', 'big', '0', 'COUNT', 2]), ['998', ['m999', 'm998']]);
  assert.deepEqual(answer(engine, ['SSCAN', 'big', '5000', 'COUNT', 1]), ['999', ['m999']]);
  assert.deepEqual(answer(engine, ['SSCAN', 'big', '1', 'COUNT', '9223372036854775807']), ['0', ['m0']]);
});
