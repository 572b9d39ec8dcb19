import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type BitOperation,
  combineBits,
  countBitRange,
  countBits,
  findBit,
  getBit,
  invertBits,
  setBit,
} from '../../../engine/values/bits.js';

test('the examples of the Redis documentation', () => {
  const foobar = Buffer.from('..foobar..');
  assert.equal(countBits(foobar, 2, 8), 26);
  assert.equal(countBits(foobar, 2, 3), 4);
  assert.equal(countBits(foobar, 3, 4), 6);
  assert.equal(countBitRange(foobar, 2, 5, 30), 17);
  assert.equal(findBit(Buffer.from([0xff, 0xf0, 0x00]), 0, 0, 23, 0), 12);
  assert.equal(findBit(Buffer.from([0x00, 0xff, 0xf0]), 0, 0, 23, 1), 8);
  assert.equal(findBit(Buffer.from([0x00, 0xff, 0xf0]), 0, 16, 23, 1), 16);
  assert.equal(findBit(Buffer.from([0x00, 0xff, 0xf0]), 0, 7, 15, 1), 8);
  assert.equal(findBit(Buffer.from([0, 0, 0]), 0, 0, 23, 1), -1);
  assert.equal(findBit(Buffer.from([255, 255]), 0, 0, 15, 0), -1);
  assert.equal(
    combineBits('and', [
      { buffer: Buffer.from('foobar'), start: 0, length: 6 },
      { buffer: Buffer.from('abcdef'), start: 0, length: 6 },
    ]).toString(),
    '`bc`ab',
  );
});

/** Bytes of which many are all zeros or all ones, long enough to be walked in words. */
const runs = fc
  .array(fc.tuple(fc.constantFrom(0, 255, 0, 255, 1, 128, 200), fc.integer({ min: 1, max: 300 })), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => Buffer.concat(parts.map(([byte, length]) => Buffer.alloc(length, byte))));

test('counting and finding equal a walk over the bits', () => {
  fc.assert(
    fc.property(
      runs,
      fc.nat(7),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (bytes, pad, x, y) => {
        const buffer = Buffer.concat([Buffer.alloc(pad, 0xa5), bytes, Buffer.alloc(3, 0x5a)]);
        const total = bytes.length * 8;
        const first = Math.floor(Math.min(x, y) * (total - 1));
        const last = Math.floor(Math.max(x, y) * (total - 1));
        let count = 0;
        const positions = [-1, -1];
        for (let offset = first; offset <= last; offset++) {
          const bit = getBit(buffer, pad, bytes.length, offset);
          count += bit;
          if (positions[bit] === -1) positions[bit] = offset;
        }
        assert.equal(countBitRange(buffer, pad, first, last), count);
        assert.equal(findBit(buffer, pad, first, last, 0), positions[0]);
        assert.equal(findBit(buffer, pad, first, last, 1), positions[1]);
      },
    ),
    { numRuns: 300 },
  );
});

test('a bit that is set is read, also past 2^32', () => {
  const buffer = Buffer.alloc(10);
  assert.equal(setBit(buffer, 1, 9, 1), 0);
  assert.equal(buffer.toString('hex'), '00004000000000000000');
  assert.equal(setBit(buffer, 1, 9, 0), 1);
  assert.equal(getBit(buffer, 1, 9, 2 ** 33), 0);
});

test('combining equals the operation bit by bit, shorter strings going on with zeros', () => {
  const source = fc
    .tuple(fc.constantFrom(0, 1, 7, 200, 260, 4096, 33_000), fc.nat(5), fc.nat(255))
    .map(([length, start, seed]) => {
      const buffer = Buffer.alloc(start + length + 3);
      for (let i = 0; i < buffer.length; i++) buffer[i] = (i * 167 + seed * (i >> 5)) & 255;
      return { buffer, start, length };
    });
  const operations: Record<BitOperation, (a: number, b: number) => number> = {
    and: (a, b) => a & b,
    or: (a, b) => a | b,
    xor: (a, b) => a ^ b,
  };
  fc.assert(
    fc.property(
      fc.array(source, { minLength: 1, maxLength: 4 }),
      fc.constantFrom('and', 'or', 'xor'),
      (sources, operation) => {
        const length = Math.max(...sources.map((source) => source.length));
        const expected = Buffer.alloc(length);
        for (let i = 0; i < length; i++) {
          expected[i] = sources
            .map((source) => (i < source.length ? source.buffer[source.start + i]! : 0))
            .reduce(operations[operation]);
        }
        assert.ok(combineBits(operation, sources).equals(expected));
        const inverted = invertBits(sources[0]!);
        assert.equal(inverted.length, sources[0]!.length);
        assert.ok(inverted.every((byte, i) => byte === (~sources[0]!.buffer[sources[0]!.start + i]! & 255)));
      },
    ),
    { numRuns: 60 },
  );
});
