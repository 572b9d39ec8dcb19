import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc64Hex } from '../../../engine/dump/crc64.js';
import { int64Min } from '../../../engine/numbers/int64.js';
import { cardinality, estimate } from '../../../engine/values/hyperloglog/cardinality.js';
import { HyperLogLogEditor } from '../../../engine/values/hyperloglog/editor.js';
import {
  denseRegister,
  denseSize,
  describeRuns,
  emptyHyperLogLog,
  headerSize,
  invalidateCardinality,
  isDense,
  isHyperLogLog,
  registerCount,
  setDenseRegister,
  toDense,
} from '../../../engine/values/hyperloglog/format.js';
import { hashMurmur64, murmurHash } from '../../../engine/values/hyperloglog/murmurhash64.js';
import { selfTest } from '../../../engine/values/hyperloglog/self-test.js';
import { HyperLogLogUnion } from '../../../engine/values/hyperloglog/union.js';

const sparseSizeMax = 3000;

/**
 * redis-server 7.0.15 after PFADD k, PFADD k element:0 ... element:<n-1>: n, PFCOUNT, PFDEBUG ENCODING,
 * STRLEN, and the CRC-64 of GET before and after PFCOUNT.
 */
const recorded: [number, number, string, number, string, string][] = [
  [0, 0, 'sparse', 18, '9bd91be86807a6dd', '4a81473f7d9280dc'],
  [1, 1, 'sparse', 21, 'ab46b37270ab6281', '27057bbd17e86cc3'],
  [2, 2, 'sparse', 24, '5c5460a95a340d8a', 'd8acba0a46af7a9b'],
  [10, 10, 'sparse', 48, '36adf8b79abeec4e', '51605787e6063f4c'],
  [100, 99, 'sparse', 285, 'f398de7532dc9b2b', 'b5ba76d3f19aa21c'],
  [500, 502, 'sparse', 1050, 'b84cd805ac4336f2', 'ed7edf9fb3c877a6'],
  [1000, 997, 'sparse', 1897, 'ffc86f67e0531eff', 'cc44655d48f93f18'],
  [1500, 1500, 'sparse', 2722, '0fc1c10eb38b8185', 'e657f25c4233dcd5'],
  [2000, 2004, 'dense', 12304, '3aade1de2b9c1001', '5d7985f2fb9f81d8'],
  [5000, 5005, 'dense', 12304, 'ad829a000f47547f', 'a3a0124544bd63d2'],
  [20000, 19986, 'dense', 12304, 'f0c0f2c9253eda82', '30f5328379e1d3b9'],
  [100000, 100039, 'dense', 12304, 'eb3913654ccfd89f', '7c00b7acee4c466a'],
];

/**
 * The same server for a = element:0..n-1 and b = other:first..first+n-1: first, n, PFCOUNT a b, and encoding
 * and CRC-64 of m after PFMERGE m a b.
 */
const recordedUnions: [number, number, number, string, string][] = [
  [0, 1000, 2000, 'dense', '88ca5743413b0654'],
  [500, 3000, 6033, 'dense', '2df0b3f04ed430ea'],
  [0, 40000, 79238, 'dense', 'e4f87455e8e8461c'],
];

function add(value: Buffer, elements: string[]): Buffer {
  const editor = new HyperLogLogEditor(value, 0, value.length, sparseSizeMax);
  for (const element of elements) {
    const bytes = Buffer.from(`.${element}`, 'latin1');
    assert.notEqual(editor.add(bytes, 1, bytes.length - 1), undefined);
  }
  editor.invalidate();
  return Buffer.from(editor.buffer.subarray(editor.start, editor.start + editor.length));
}

function sketchOf(prefix: string, first: number, count: number): Buffer {
  return add(
    emptyHyperLogLog(),
    Array.from({ length: count }, (_, i) => `${prefix}:${first + i}`),
  );
}

test('bytes and estimates equal those of redis-server', () => {
  for (const [count, expected, encoding, size, stale, counted] of recorded) {
    const value = sketchOf('element', 0, count);
    assert.ok(isHyperLogLog(value, 0, value.length));
    assert.equal(isDense(value, 0) ? 'dense' : 'sparse', encoding);
    assert.equal(value.length, size);
    assert.equal(crc64Hex(value), stale);
    assert.deepEqual(cardinality(value, 0, value.length), { value: expected, estimated: true });
    assert.deepEqual(cardinality(value, 0, value.length), { value: expected, estimated: false });
    assert.equal(crc64Hex(value), counted);
  }
});

test('PFDEBUG DECODE tells the runs', () => {
  assert.equal(describeRuns(emptyHyperLogLog(), 0, 18), 'Z:16384');
  const two = sketchOf('element', 0, 2);
  assert.equal(describeRuns(two, 0, two.length), 'Z:1167 v:1,1 Z:7154 v:1,1 Z:8061');
});

test('unions equal those of redis-server', () => {
  for (const [first, count, expected, encoding, merged] of recordedUnions) {
    const union = new HyperLogLogUnion();
    for (const value of [sketchOf('element', 0, count), sketchOf('other', first, count)]) {
      assert.ok(union.merge(value, 0, value.length));
    }
    assert.equal(union.estimate(), expected);
    const empty = emptyHyperLogLog();
    const target = new HyperLogLogEditor(empty, 0, empty.length, sparseSizeMax);
    assert.ok(union.writeTo(target));
    const bytes = target.buffer.subarray(target.start, target.start + target.length);
    assert.equal(isDense(bytes, 0) ? 'dense' : 'sparse', encoding);
    assert.equal(crc64Hex(bytes), merged);
  }
});

test('MurmurHash64A equals its definition on 64-bit integers', () => {
  const byDefinition = (bytes: Uint8Array) => {
    const mask = (1n << 64n) - 1n;
    const m = 0xc6a4a7935bd1e995n;
    let h = 0xadc83b19n ^ ((BigInt(bytes.length) * m) & mask);
    const whole = bytes.length & ~7;
    for (let at = 0; at < whole; at += 8) {
      let k = (Buffer.from(bytes).readBigUInt64LE(at) * m) & mask;
      k = ((k ^ (k >> 47n)) * m) & mask;
      h = ((h ^ k) * m) & mask;
    }
    for (let at = whole; at < bytes.length; at++) h ^= BigInt(bytes[at]!) << BigInt(8 * (at & 7));
    if (bytes.length > whole) h = (h * m) & mask;
    h = ((h ^ (h >> 47n)) * m) & mask;
    return h ^ (h >> 47n);
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      hashMurmur64(Buffer.concat([Buffer.from('..'), bytes]), 2, bytes.length);
      const hash = (BigInt(murmurHash.high >>> 0) << 32n) | BigInt(murmurHash.low >>> 0);
      assert.equal(hash, byDefinition(bytes));
    }),
    { numRuns: 500 },
  );
});

test('a sparse sketch holds the same registers as a dense one, however it was raised', () => {
  const raises = fc.array(
    fc.tuple(fc.oneof(fc.nat(registerCount - 1), fc.nat(40)), fc.integer({ min: 1, max: 34 })),
    {
      maxLength: 150,
    },
  );
  fc.assert(
    fc.property(raises, fc.constantFrom(60, 3000), (steps, sizeMax) => {
      const empty = emptyHyperLogLog();
      const editor = new HyperLogLogEditor(empty, 0, empty.length, sizeMax);
      const dense = toDense(empty, 0, empty.length)!;
      for (const [index, value] of steps) {
        const rises = denseRegister(dense, 0, index) < value;
        assert.equal(editor.raise(index, value), rises);
        if (rises) setDenseRegister(dense, 0, index, value);
      }
      assert.ok(isDense(editor.buffer, editor.start) || editor.length <= sizeMax);
      assert.ok(editor.makeDense());
      assert.deepEqual(
        editor.buffer.subarray(editor.start + headerSize, editor.start + editor.length),
        dense.subarray(headerSize),
      );
    }),
    { numRuns: 80 },
  );
});

test('a dense sketch is changed where it lies, and nothing beside it', () => {
  const memory = Buffer.alloc(denseSize + 20, 0xee);
  toDense(emptyHyperLogLog(), 0, 18)!.copy(memory, 10);
  const editor = new HyperLogLogEditor(memory, 10, denseSize, sparseSizeMax);
  for (let index = 0; index < registerCount; index++)
    assert.equal(editor.raise(index, (index % 50) + 1), true);
  assert.ok(editor.inPlace && editor.buffer === memory);
  for (let index = 0; index < registerCount; index++)
    assert.equal(denseRegister(memory, 10, index), (index % 50) + 1);
  assert.ok(memory.subarray(0, 10).every((byte) => byte === 0xee));
  assert.ok(memory.subarray(10 + denseSize).every((byte) => byte === 0xee));
});

test('registers that no hash gives overflow as in redis-server', () => {
  const value = toDense(emptyHyperLogLog(), 0, 18)!;
  value.fill(0xff, headerSize);
  assert.equal(estimate(value, 0, value.length), int64Min);
  for (let index = 0; index < registerCount; index++) setDenseRegister(value, 0, index, 50);
  invalidateCardinality(value, 0);
  assert.equal(cardinality(value, 0, value.length)?.value, int64Min);
  assert.equal(crc64Hex(value), '20902502704ddb29');
});

test('other strings are not taken for sketches', () => {
  const good = emptyHyperLogLog();
  assert.ok(!isHyperLogLog(good, 0, 15));
  assert.ok(!isHyperLogLog(Buffer.from('HYLX\x01'.padEnd(18, '\0'), 'latin1'), 0, 18));
  assert.ok(!isHyperLogLog(Buffer.from('HYLL\x02'.padEnd(18, '\0'), 'latin1'), 0, 18));
  assert.ok(!isHyperLogLog(Buffer.from('HYLL\x00'.padEnd(18, '\0'), 'latin1'), 0, 18));
});

test('corrupt runs are reported, never followed out of the value', () => {
  const sparse = sketchOf('element', 0, 50);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: headerSize, max: sparse.length - 1 }), fc.nat(255)), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.integer({ min: headerSize, max: sparse.length }),
      (damage, length) => {
        const value = Buffer.from(sparse);
        for (const [at, byte] of damage) value[at] = byte;
        const runs = estimate(value, 0, length);
        const union = new HyperLogLogUnion();
        const merges = union.merge(value, 0, length);
        assert.equal(toDense(value, 0, length) !== undefined, merges);
        if (merges) assert.notEqual(runs, undefined);
        const editor = new HyperLogLogEditor(value, 0, length, sparseSizeMax);
        for (let i = 0; i < 50; i++) editor.raise((i * 7919) % registerCount, (i % 40) + 1);
        assert.ok(editor.length <= denseSize);
      },
    ),
    { numRuns: 300 },
  );
});

test('PFSELFTEST finds nothing', () => {
  assert.equal(selfTest(), undefined);
});
