import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addInt64,
  compareInt64,
  formatInt64,
  type Int64,
  int64FromBigInt,
  int64Max,
  int64Min,
  int64TextLength,
  negateInt64,
  parseInt64,
  parseInt64Bytes,
  readInt64,
  writeInt64,
  writeInt64Text,
} from '../../../engine/numbers/int64.js';

function parseBoth(text: string): Int64 | undefined {
  const parsed = parseInt64(text);
  const framed = Buffer.from(`7${text}7`, 'latin1');
  assert.equal(parseInt64Bytes(framed, 1, text.length), parsed, JSON.stringify(text));
  return parsed;
}

const anyInt64 = fc.oneof(
  fc.bigInt({ min: int64Min, max: int64Max }),
  fc.integer().map(BigInt),
  fc.constantFrom(
    int64Min,
    int64Max,
    0n,
    -(2n ** 31n),
    2n ** 31n,
    2n ** 53n,
    2n ** 53n - 1n,
    -(2n ** 53n),
    1n - 2n ** 53n,
  ),
);

test('canonical integers are taken at both ends of the range', () => {
  assert.equal(parseBoth('0'), 0);
  assert.equal(parseBoth('-1'), -1);
  assert.equal(parseBoth('9007199254740991'), 9007199254740991);
  assert.equal(parseBoth('9007199254740992'), 9007199254740992n);
  assert.equal(parseBoth('-9007199254740993'), -9007199254740993n);
  assert.equal(parseBoth('9223372036854775807'), int64Max);
  assert.equal(parseBoth('-9223372036854775808'), int64Min);
});

test('what Redis does not store as an integer is refused', () => {
  for (const text of ['', '-', '-0', '+1', '01', '-01', ' 1', '1 ', '1.0', '1e3', '0x1', '1\0', '/', ':']) {
    assert.equal(parseBoth(text), undefined, JSON.stringify(text));
  }
  for (const text of [
    '9223372036854775808',
    '-9223372036854775809',
    '99999999999999999999',
    '111111111111111111111',
  ]) {
    assert.equal(parseBoth(text), undefined, text);
  }
});

test('every integer survives text and bytes', () => {
  fc.assert(
    fc.property(anyInt64, (value) => {
      const canonical = int64FromBigInt(value);
      assert.equal(parseBoth(value.toString()), canonical);
      assert.equal(formatInt64(canonical), value.toString());
      assert.equal(int64TextLength(canonical), value.toString().length);
      const text = Buffer.alloc(22, '#');
      assert.equal(writeInt64Text(canonical, text, 1), value.toString().length);
      assert.equal(text.latin1Slice(), `#${value}`.padEnd(22, '#'));
      const bytes = Buffer.alloc(10);
      writeInt64(bytes, 1, canonical);
      assert.equal(bytes.readBigInt64LE(1), value);
      assert.equal(readInt64(bytes, 1), canonical);
    }),
  );
});

test('sums and negation are exact or refused', () => {
  fc.assert(
    fc.property(anyInt64, anyInt64, (a, b) => {
      const sum = a + b;
      const expected = sum > int64Max || sum < int64Min ? undefined : int64FromBigInt(sum);
      assert.equal(addInt64(int64FromBigInt(a), int64FromBigInt(b)), expected);
      assert.equal(negateInt64(int64FromBigInt(a)), a === int64Min ? undefined : int64FromBigInt(-a));
      assert.equal(compareInt64(int64FromBigInt(a), int64FromBigInt(b)), a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});
