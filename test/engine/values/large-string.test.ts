/** A long string grows in place, and what it has lent stays as it was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { View } from '../../../engine/protocol/view.js';
import { Slab } from '../../../engine/storage/slab.js';
import { LargeString } from '../../../engine/values/large-string.js';

const MIB = 1 << 20;

/** Writes `byte` over `length` bytes from `at` on, lengthening the string where it must. */
function write(string: LargeString, at: number, length: number, byte: number): void {
  if (at + length > string.length) string.grow(at + length);
  const view = string.viewForWrite(new View(), at, at + length);
  view.buffer.fill(byte, view.start + at, view.start + at + length);
}

const change = fc.record({
  isAppend: fc.boolean(),
  at: fc.nat(3 * MIB),
  length: fc.integer({ min: 1, max: 2 * MIB }),
  byte: fc.integer({ min: 1, max: 255 }),
  isLent: fc.boolean(),
});

test('growth and changes leave all other bytes as they were, those that were lent too', () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 12 }), (changes) => {
      const string = LargeString.zeros(8192, new Slab());
      let model = Buffer.alloc(8192);
      const lent: { bytes: Buffer; copy: Buffer }[] = [];
      for (const { isAppend, at, length, byte, isLent } of changes) {
        if (isLent) {
          const bytes = string.view(new View()).keep();
          lent.push({ bytes, copy: Buffer.from(bytes) });
        }
        const from = isAppend ? model.length : Math.min(at, model.length);
        write(string, from, length, byte);
        if (from + length > model.length)
          model = Buffer.concat([model, Buffer.alloc(from + length - model.length)]);
        model.fill(byte, from, from + length);
      }
      const view = string.view(new View());
      assert.ok(view.buffer.subarray(view.start, view.end).equals(model));
      for (const { bytes, copy } of lent) assert.ok(bytes.equals(copy));
    }),
    { numRuns: 60 },
  );
});

test('an append to a long string copies nothing, though its bytes are on their way out', () => {
  const string = LargeString.zeros(MIB, new Slab());
  write(string, MIB, MIB, 1);
  const before = string.view(new View()).buffer.buffer;
  string.view(new View()).keep();
  for (let i = 2; i < 60; i++) write(string, i * MIB, MIB, i);
  assert.equal(string.view(new View()).buffer.buffer, before);
});

test('the slab knows of every byte of capacity, and of none afterwards', () => {
  const slab = new Slab();
  const string = LargeString.zeros(8192, slab);
  for (const length of [9000, MIB, 5 * MIB, 70 * MIB]) {
    string.grow(length);
    assert.ok(string.memoryBytes >= length);
    assert.ok(string.memoryBytes <= length + MIB + 512);
  }
  string.dispose();
  assert.equal(slab.trackedBytes, 0);
});
