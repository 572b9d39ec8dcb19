import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc64Hex, matchesCrc64, writeCrc64 } from '../../../engine/dump/crc64.js';
import { compressLzf, decompressLzf } from '../../../engine/dump/lzf.js';

test('CRC-64 has the known values', () => {
  assert.equal(crc64Hex(Buffer.from('123456789')), 'e9c6d914c4b8d9ca');
  assert.equal(crc64Hex(Buffer.alloc(0)), '0000000000000000');
});

test('CRC-64 by eight bytes equals the definition, bit by bit', () => {
  const polynomial = 0x95ac9329ac4bc9b5n;
  const byDefinition = (bytes: Uint8Array) => {
    let register = 0n;
    for (const byte of bytes) {
      register ^= BigInt(byte);
      for (let bit = 0; bit < 8; bit++)
        register = register & 1n ? (register >> 1n) ^ polynomial : register >> 1n;
    }
    return register.toString(16).padStart(16, '0');
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (array) => {
      const bytes = Buffer.from(array);
      const hex = byDefinition(bytes);
      assert.equal(crc64Hex(bytes), hex);
      const target = Buffer.alloc(9);
      writeCrc64(bytes, 0, bytes.length, target, 1);
      assert.equal(Buffer.from(target.subarray(1)).reverse().toString('hex'), hex);
      assert.ok(matchesCrc64(Buffer.concat([bytes, target]), 0, bytes.length, bytes.length + 1));
    }),
  );
});

const compressible = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc
    .array(fc.constantFrom('the ', 'a', 'abcabc', '0123456789', '\0\0'), { maxLength: 200 })
    .map((words) => Buffer.from(words.join(''))),
  fc
    .tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 9 }))
    .map(([size, period]) => Buffer.from(Array.from({ length: size }, (_, i) => i % period))),
);

test('LZF gives back what it compressed', () => {
  fc.assert(
    fc.property(compressible, (array) => {
      const input = Buffer.concat([Buffer.from('..'), array, Buffer.from('..')]);
      const output = Buffer.alloc(array.length * 2 + 20, 0xee);
      const limit = array.length + 10;
      const size = compressLzf(input, 2, array.length, output, 3, limit);
      assert.ok(size <= limit);
      assert.equal(size > 0, array.length > 0);
      const back = Buffer.alloc(array.length);
      if (size > 0) assert.ok(decompressLzf(output, 3, size, back));
      assert.deepEqual(back, Buffer.from(array));
      // With no room to spare it gives up and stays inside its limit.
      const tight = Buffer.alloc(Math.max(0, size - 1) + 5, 0xee);
      if (size > 1) assert.equal(compressLzf(input, 2, array.length, tight, 0, size - 1), 0);
      assert.ok(tight.subarray(Math.max(0, size - 1)).every((byte) => byte === 0xee));
    }),
    { numRuns: 500 },
  );
});

test('LZF refuses damaged streams without leaving its bounds', () => {
  // Two literals, then six bytes from one back.
  const stream = Buffer.from('0161628000', 'hex');
  const whole = Buffer.alloc(8);
  assert.ok(decompressLzf(stream, 0, 5, whole));
  assert.equal(whole.toString(), 'abbbbbbb');
  assert.ok(!decompressLzf(stream, 0, 5, Buffer.alloc(7)));
  assert.ok(!decompressLzf(stream, 0, 5, Buffer.alloc(9)));
  assert.ok(!decompressLzf(stream, 0, 4, Buffer.alloc(8)));
  assert.ok(!decompressLzf(Buffer.from('00618005', 'hex'), 0, 4, Buffer.alloc(7)));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(300), (stream, size) => {
      const memory = Buffer.alloc(size + 2, 0xee);
      decompressLzf(Buffer.from(stream), 0, stream.length, memory.subarray(1, size + 1));
      assert.equal(memory[0], 0xee);
      assert.equal(memory[size + 1], 0xee);
    }),
    { numRuns: 2000 },
  );
});
