import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Int64, int64FromBigInt, parseInt64 } from '../../../engine/numbers/int64.js';
import {
  addToBitfield,
  type Overflow,
  readBitfield,
  writeBitfield,
} from '../../../engine/values/bitfield.js';

/**
 * BITFIELD f SET type 3 initial, then OVERFLOW mode and SET or INCRBY at the same place, by redis-server
 * 7.0.15: type, initial, operation, argument, mode, what the field then holds (null: refused), and the
 * string.
 */
const recorded: [string, string, string, string, Overflow, string | null, string][] = [
  ['i8', '127', 'incrby', '1', 'wrap', '-128', '1000'],
  ['i8', '127', 'incrby', '1', 'sat', '127', '0fe0'],
  ['i8', '127', 'incrby', '1', 'fail', null, '0fe0'],
  ['i8', '-128', 'incrby', '-1', 'wrap', '127', '0fe0'],
  ['i8', '-128', 'incrby', '-1', 'sat', '-128', '1000'],
  ['u8', '255', 'incrby', '10', 'wrap', '9', '0120'],
  ['u8', '255', 'incrby', '10', 'sat', '255', '1fe0'],
  ['u8', '0', 'incrby', '-1', 'wrap', '255', '1fe0'],
  ['u8', '0', 'incrby', '-1', 'sat', '0', '0000'],
  ['u8', '0', 'incrby', '-1', 'fail', null, '0000'],
  ['u8', '0', 'set', '-1', 'wrap', '255', '1fe0'],
  ['u8', '0', 'set', '-1', 'sat', '255', '1fe0'],
  ['u8', '0', 'set', '256', 'wrap', '0', '0000'],
  ['u8', '0', 'set', '-300', 'fail', null, '0000'],
  ['i8', '0', 'set', '200', 'wrap', '-56', '1900'],
  ['i8', '0', 'set', '200', 'sat', '127', '0fe0'],
  ['i8', '0', 'set', '-200', 'sat', '-128', '1000'],
  ['i8', '0', 'set', '-9223372036854775808', 'sat', '127', '0fe0'],
  ['i8', '0', 'set', '-9223372036854775680', 'sat', '-128', '1000'],
  ['i8', '0', 'set', '9223372036854775807', 'sat', '127', '0fe0'],
  ['u63', '0', 'set', '9223372036854775807', 'sat', '9223372036854775807', '1fffffffffffffffc0'],
  ['u63', '9223372036854775807', 'incrby', '1', 'wrap', '0', '000000000000000000'],
  ['u63', '9223372036854775807', 'incrby', '1', 'sat', '9223372036854775807', '1fffffffffffffffc0'],
  ['u63', '0', 'set', '-1', 'wrap', '9223372036854775807', '1fffffffffffffffc0'],
  ['i64', '9223372036854775807', 'incrby', '1', 'wrap', '-9223372036854775808', '100000000000000000'],
  ['i64', '9223372036854775807', 'incrby', '1', 'sat', '9223372036854775807', '0fffffffffffffffe0'],
  ['i64', '9223372036854775807', 'incrby', '1', 'fail', null, '0fffffffffffffffe0'],
  ['i64', '-9223372036854775808', 'incrby', '-1', 'sat', '-9223372036854775808', '100000000000000000'],
  ['i64', '-9223372036854775808', 'incrby', '9223372036854775807', 'fail', '-1', '1fffffffffffffffe0'],
  ['i1', '0', 'incrby', '1', 'wrap', '-1', '10'],
  ['i1', '0', 'set', '1', 'sat', '0', '00'],
  ['u1', '1', 'incrby', '1', 'wrap', '0', '00'],
  ['u32', '4294967295', 'incrby', '-9223372036854775808', 'wrap', '4294967295', '1fffffffe0'],
  ['u32', '4294967295', 'incrby', '9223372036854775807', 'sat', '4294967295', '1fffffffe0'],
];

function typeOf(name: string): { signed: boolean; width: number } {
  return { signed: name.startsWith('i'), width: Number(name.slice(1)) };
}

test('overflows end as in redis-server', () => {
  for (const [name, initial, operation, argument, overflow, expected, hex] of recorded) {
    const type = typeOf(name);
    const bytes = Buffer.alloc(hex.length / 2);
    writeBitfield(bytes, 0, 3, type.width, parseInt64(initial)!);
    const operand = parseInt64(argument)!;
    const before = readBitfield(bytes, 0, bytes.length, 3, type);
    const value =
      operation === 'set'
        ? addToBitfield(operand, 0, type, overflow)
        : addToBitfield(before, operand, type, overflow);
    const label = `${name} ${initial} ${operation} ${argument} ${overflow}`;
    assert.equal(value === undefined ? null : `${value}`, expected, label);
    if (value !== undefined) writeBitfield(bytes, 0, 3, type.width, value);
    assert.equal(bytes.toString('hex'), hex, label);
  }
});

const anyType = fc
  .boolean()
  .chain((signed) =>
    fc.record({ signed: fc.constant(signed), width: fc.integer({ min: 1, max: signed ? 64 : 63 }) }),
  );

test('a field is its bits, highest first', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 0, maxLength: 20 }),
      fc.nat(200),
      anyType,
      (array, offset, type) => {
        const bytes = Buffer.concat([Buffer.from('..'), array, Buffer.alloc(40, 0xff)]);
        let bits = '';
        for (const byte of array) bits += byte.toString(2).padStart(8, '0');
        const field = bits.slice(offset, offset + type.width).padEnd(type.width, '0');
        const unsigned = BigInt(`0b${field}`);
        const expected = int64FromBigInt(type.signed ? BigInt.asIntN(type.width, unsigned) : unsigned);
        assert.equal(readBitfield(bytes, 2, array.length, offset, type), expected);
      },
    ),
    { numRuns: 2000 },
  );
});

test('what is written is read, and no bit beside it changes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      fc.nat(90),
      anyType,
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      (array, offset, type, raw) => {
        const value: Int64 = int64FromBigInt(raw);
        const bytes = Buffer.from(array);
        writeBitfield(bytes, 0, offset, type.width, value);
        const kept = type.signed ? BigInt.asIntN(type.width, raw) : BigInt.asUintN(type.width, raw);
        assert.equal(readBitfield(bytes, 0, 20, offset, type), int64FromBigInt(kept));
        const whole = (buffer: Uint8Array) => BigInt(`0x${Buffer.from(buffer).toString('hex')}`);
        const mask = ((1n << BigInt(type.width)) - 1n) << BigInt(160 - offset - type.width);
        assert.equal(whole(bytes) & ~mask, whole(array) & ~mask);
      },
    ),
    { numRuns: 2000 },
  );
});
