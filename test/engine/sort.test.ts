/** SORT in process, and the partial sort that it uses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { partialSort } from '../../engine/commands/partial-sort.js';
import { script } from './script.js';

test('orders', () => {
  script([
    ['RPUSH l 3 10 1.5 -2', 4],
    ['SORT l', ['-2', '1.5', '3', '10']],
    ['SORT l DESC LIMIT 1 2', ['3', '1.5']],
    ['SORT l ALPHA', ['-2', '1.5', '10', '3']],
    ['SORT l LIMIT 9 1', []],
    ['SORT l LIMIT -1 1', ['-2']],
    ['SORT l BY nosort DESC LIMIT 0 2', ['-2', '1.5']],
    ['RPUSH l x', 5],
    ['SORT l', "!ERR One or more scores can't be converted into double"],
    ['RPUSH over 1e400', 1],
    ['SORT over', "!ERR One or more scores can't be converted into double"],
    ['ZADD z 3 a 1 b 2 c', 3],
    ['SORT z BY nosort DESC LIMIT 0 2', ['a', 'c']],
    ['SORT none', []],
    ['SET s v', 'OK'],
    ['SORT s', '!WRONGTYPE Operation against a key holding the wrong kind of value'],
    ['SORT_RO l STORE d', '!ERR syntax error'],
  ]);
});

test('BY and GET', () => {
  script([
    ['RPUSH l 1 2 3', 3],
    ['MSET w_1 30 w_2 20 w_3 10', 'OK'],
    ['HSET h_1 f a', 1],
    ['HSET h_3 f b', 1],
    ['SORT l BY w_*', ['3', '2', '1']],
    ['SORT l BY h_*->f ALPHA DESC GET # GET h_*->f', ['3', 'b', '1', 'a', '2', null]],
    ['SORT l GET w_1', [null, null, null]],
    ['SORT l BY nosort BY w_*', ['1', '2', '3']],
    ['SET h_*-> odd', 'OK'],
    ['SORT l GET h_*->', [null, null, null]],
  ]);
});

test('STORE', () => {
  script([
    ['SADD s 3 1 2', 3],
    ['SET d x EX 100', 'OK'],
    ['SORT s DESC STORE d', 3],
    ['LRANGE d 0 -1', ['3', '2', '1']],
    ['TTL d', -1],
    ['SORT s GET none_* STORE d', 3],
    ['LRANGE d 0 -1', ['', '', '']],
    ['SORT s BY nosort STORE s', 3],
    ['LRANGE s 0 -1', ['1', '2', '3']],
    ['SORT none STORE s', 0],
    ['EXISTS s', 0],
  ]);
});

test('a partial sort is a sort in the part that is wanted, and loses nothing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 200 }),
      fc.nat({ max: 199 }),
      fc.nat({ max: 199 }),
      (items, a, b) => {
        const first = Math.min(a, b) % items.length;
        const last = Math.max(first, Math.max(a, b) % items.length);
        const expected = [...items].sort((x, y) => x - y);
        const got = [...items];
        partialSort(got, (x, y) => x - y, first, last);
        assert.deepEqual(got.slice(first, last + 1), expected.slice(first, last + 1));
        assert.deepEqual(
          [...got].sort((x, y) => x - y),
          expected,
        );
        assert.ok(got.slice(0, first).every((item) => item <= expected[first]));
      },
    ),
  );
});
