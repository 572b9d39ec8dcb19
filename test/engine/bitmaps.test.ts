/** Bits of strings in process: the edges, and every operation against a string of '0' and '1'. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../engine/index.js';
import { answer, encodingOf, script } from './script.js';

const OFFSET = '!ERR bit offset is not an integer or out of range';

test('offsets reach to the end of the longest string', () => {
  script([
    ['GETBIT none 4294967295', 0],
    ['GETBIT none 4294967296', OFFSET],
    ['SETBIT b 4294967295 1', OFFSET],
    ['SETBIT b -1 1', OFFSET],
    ['SETBIT b 0 2', '!ERR bit is not an integer or out of range'],
    ['BITFIELD b GET u8 4294967288', [0]],
    ['BITFIELD b SET u8 4294967288 1', OFFSET],
    // 2^62 times 8 wraps to 0.
    ['BITFIELD b GET u8 #4611686018427387904', [0]],
    ['BITFIELD b GET u8 #9223372036854775807', OFFSET],
    ['EXISTS b', 0],
  ]);
});

test('what is changed bit by bit is raw', () => {
  const engine = script([
    ['SET n 12345', 'OK'],
    ['SETBIT n 6 1', 0],
    ['GET n', '32345'],
    ['SET one 1', 'OK'],
    ['BITOP OR copy one', 1],
  ]);
  assert.equal(encodingOf(engine, 'n'), 'raw');
  assert.equal(encodingOf(engine, 'one'), 'int');
  assert.equal(encodingOf(engine, 'copy'), 'raw');
});

test('BITOP drops the deadline of its target, and the target when there is nothing', () => {
  script([
    ['SET a abc EX 100', 'OK'],
    ['BITOP NOT a a', 3],
    ['TTL a', -1],
    ['BITOP AND a none', 0],
    ['EXISTS a', 0],
    ['BITOP NOT a b c', '!ERR BITOP NOT must be called with a single source key.'],
  ]);
});

test('BITFIELD overflows as told', () => {
  script([
    [
      'BITFIELD b OVERFLOW SAT INCRBY u2 0 5 OVERFLOW FAIL INCRBY u2 0 1 OVERFLOW WRAP INCRBY u2 0 1',
      [3, null, 0],
    ],
    ['BITFIELD b SET i64 0 9223372036854775807 INCRBY i64 0 1', [0, -9223372036854775808n]],
    ['BITFIELD_RO b SET u8 0 1', '!ERR BITFIELD_RO only supports the GET subcommand'],
    ['BITFIELD b OVERFLOW LATER', '!ERR Invalid OVERFLOW type specified'],
  ]);
});

/** The string at `k` as text of '0' and '1'. */
function bitsOf(engine: Engine): string {
  const length = engine.call('STRLEN', 'k') as number;
  let bits = '';
  for (let i = 0; i < length * 8; i++) bits += engine.call('GETBIT', 'k', i);
  return bits;
}

test('SETBIT, BITFIELD, BITCOUNT and BITPOS agree with a row of bits, across the size at which strings move', () => {
  const base = fc.constantFrom(0, 7, 8 * 8190);
  const step = fc.record({
    at: fc.nat({ max: 40 }),
    bit: fc.nat({ max: 1 }),
    width: fc.integer({ min: 1, max: 16 }),
  });
  fc.assert(
    fc.property(
      base,
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.nat({ max: 60 }),
      fc.nat({ max: 60 }),
      (from, steps, a, b) => {
        const engine = new Engine();
        let model = '';
        for (const { at, bit, width } of steps) {
          const value = bit === 1 ? 2 ** width - 1 : 0;
          if (width === 1)
            assert.equal(engine.call('SETBIT', 'k', from + at, bit), Number(model[from + at] ?? 0));
          else engine.call('BITFIELD', 'k', 'SET', `u${width}`, from + at, value);
          model = model.padEnd(Math.ceil((from + at + width) / 8) * 8, '0');
          model = model.slice(0, from + at) + String(bit).repeat(width) + model.slice(from + at + width);
        }
        if (from < 8) assert.equal(bitsOf(engine), model);
        const [start, end] = [from + Math.min(a, b), from + Math.max(a, b)];
        const range = model.slice(start, end + 1);
        assert.equal(engine.call('BITCOUNT', 'k', start, end, 'BIT'), range.replaceAll('0', '').length);
        assert.equal(engine.call('BITCOUNT', 'k'), model.replaceAll('0', '').length);
        for (const bit of ['0', '1']) {
          const found = range.indexOf(bit);
          const expected = found < 0 ? -1 : start + found;
          assert.equal(engine.call('BITPOS', 'k', bit, start, end, 'BIT'), expected);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('a bit of a long string costs no more than one of a short one', () => {
  const engine = new Engine();
  engine.call('SETBIT', 'long', 100_000_000 * 8 - 1, 1);
  const began = process.hrtime.bigint();
  for (let i = 0; i < 1000; i++) engine.call('SETBIT', 'long', i * 799_999, 1);
  const elapsedMs = Number(process.hrtime.bigint() - began) / 1e6;
  assert.equal(answer(engine, ['BITCOUNT', 'long']), 1001);
  // Copying 100 MB takes some 20 ms: a thousand copies would take 20 s.
  assert.ok(elapsedMs < 2000, `${elapsedMs} ms`);
});
