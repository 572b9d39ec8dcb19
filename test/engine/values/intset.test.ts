import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Int64, parseInt64 } from '../../../engine/numbers/int64.js';
import {
  insertIntset,
  intsetCount,
  intsetElement,
  intsetHeaderSize,
  intsetSize,
  intsetSizeWith,
  intsetWidth,
  isValidIntset,
  removeFromIntset,
  searchIntset,
  writeEmptyIntset,
} from '../../../engine/values/intset.js';

/** What SADD gave a set, and the intset in its DUMP, by redis-server 7.0.15. */
const recorded: [string[], string][] = [
  [['1'], '02000000010000000100'],
  [['3', '-1', '2'], '0200000003000000ffff02000300'],
  [['32767', '32768'], '0400000002000000ff7f000000800000'],
  [['-32769', '5', '70000'], '0400000003000000ff7fffff0500000070110100'],
  [['2147483648', '1', '-2'], '0800000003000000feffffffffffffff01000000000000000000008000000000'],
  [
    ['-9223372036854775808', '9223372036854775807', '0', '9007199254740993'],
    '0800000004000000000000000000008000000000000000000100000000002000ffffffffffffff7f',
  ],
];

function add(buffer: Buffer, start: number, value: Int64): boolean {
  const index = searchIntset(buffer, start, value);
  if (index >= 0) return false;
  const needed = intsetSizeWith(buffer, start, value);
  assert.equal(insertIntset(buffer, start, -1 - index, value), needed);
  return true;
}

test('the bytes are those of redis-server', () => {
  for (const [texts, hex] of recorded) {
    const buffer = Buffer.alloc(100, 0xee);
    assert.equal(writeEmptyIntset(buffer, 7), intsetHeaderSize);
    for (const text of texts) assert.ok(add(buffer, 7, parseInt64(text)!));
    const size = intsetSize(buffer, 7);
    assert.equal(buffer.toString('hex', 7, 7 + size), hex);
    assert.ok(isValidIntset(buffer, 7, size));
  }
});

const anyInt = fc
  .oneof(
    fc.integer({ min: -40, max: 40 }),
    fc.integer({ min: -33000, max: 33000 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  )
  .map((value) => parseInt64(`${value}`)!);

test('it is a sorted set of integers', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), anyInt), { maxLength: 60 }), (steps) => {
      const buffer = Buffer.alloc(600);
      writeEmptyIntset(buffer, 3);
      const model = new Set<Int64>();
      let width = 2;
      for (const [adds, value] of steps) {
        const index = searchIntset(buffer, 3, value);
        assert.equal(index >= 0, model.has(value));
        if (adds) {
          assert.equal(add(buffer, 3, value), !model.has(value));
          model.add(value);
        } else if (index >= 0) {
          removeFromIntset(buffer, 3, index);
          model.delete(value);
        }
        const sorted = [...model].sort((a, b) => (a < b ? -1 : 1));
        assert.equal(intsetCount(buffer, 3), sorted.length);
        assert.deepEqual(
          sorted.map((_, i) => intsetElement(buffer, 3, i)),
          sorted,
        );
        assert.ok(intsetWidth(buffer, 3) >= width);
        width = intsetWidth(buffer, 3);
        assert.equal(isValidIntset(buffer, 3, intsetSize(buffer, 3)), sorted.length > 0);
      }
    }),
  );
});

test('damaged intsets are refused', () => {
  const refused = [
    '',
    '0200000001000000',
    '0300000001000000000000',
    '02000000000000000000',
    '020000000000000000',
    '0200000002000000ffff',
    '020000000200000001000100',
    '020000000200000002000100',
    '0200000001000000010000',
    'ffffffffffffffff0100',
  ];
  for (const hex of refused) {
    const bytes = Buffer.from(hex, 'hex');
    assert.ok(!isValidIntset(bytes, 0, bytes.length), hex);
  }
});
