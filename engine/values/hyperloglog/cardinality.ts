/**
 * The estimator of Redis since 4.0: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog
 * sketches" (2017), algorithm 6. It uses the four operations and square roots only, all exact to the last bit
 * in every JavaScript engine, so that the estimate, which is cached in the value and thus state, is the same
 * everywhere.
 */
import { type Int64, int64Min, writeInt64 } from '../../numbers/int64.js';
import {
  cachedCardinality,
  cardinalityPosition,
  headerSize,
  isDense,
  registerCount,
  runLength,
  runSize,
  runValue,
  unpackRegisters,
} from './format.js';

/** Bits of the hash that are not the register's number. */
const hashBits = 50;
/** 1 / (2 ln 2). */
const alphaInfinity = 0.7213475204444817;

const histogram = new Int32Array(64);
const unpacked = Buffer.alloc(registerCount);

/**
 * The cardinality as of the cache or, when that is stale, as estimated now and written to the cache.
 *
 * @returns the cardinality and whether it was estimated (the value then has changed), or undefined when
 * corrupt
 */
export function cardinality(
  buffer: Buffer,
  start: number,
  length: number,
): { value: Int64; estimated: boolean } | undefined {
  const cached = cachedCardinality(buffer, start);
  if (cached !== undefined) return { value: cached, estimated: false };
  const value = estimate(buffer, start, length);
  if (value === undefined) return undefined;
  writeInt64(buffer, cardinalityPosition(start), value);
  return { value, estimated: true };
}

/** The estimate, whatever is cached; undefined when sparse runs don't cover exactly all registers. */
export function estimate(buffer: Buffer, start: number, length: number): Int64 | undefined {
  if (isDense(buffer, start)) {
    unpackRegisters(buffer, start, length, unpacked);
    return estimateOf(unpacked);
  }
  histogram.fill(0);
  let covered = 0;
  const end = start + length;
  for (let at = start + headerSize; at < end; at += runSize(buffer, at)) {
    const run = runLength(buffer, at, end);
    const value = runValue(buffer, at);
    histogram[value] = histogram[value]! + run;
    covered += run;
  }
  return covered === registerCount ? fromHistogram() : undefined;
}

/** The estimate from registers of a byte each. */
export function estimateOf(registers: Buffer): Int64 {
  histogram.fill(0);
  for (let index = 0; index < registerCount; index++) {
    const value = registers[index]! & 63;
    histogram[value] = histogram[value]! + 1;
  }
  return fromHistogram();
}

function fromHistogram(): Int64 {
  const m = registerCount;
  let z = m * tau((m - histogram[hashBits + 1]!) / m);
  for (let value = hashBits; value >= 1; value--) z = (z + histogram[value]!) * 0.5;
  z += m * sigma(histogram[0]! / m);
  const raw = (alphaInfinity * m * m) / z;
  // Only registers that no hash gives (set by SETRANGE) make it infinite; C's conversion then answers so.
  return raw < 2 ** 53 ? Math.round(raw) : raw < 2 ** 63 ? BigInt(raw) : int64Min;
}

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let y = 1;
  let z = x;
  for (;;) {
    x *= x;
    const before = z;
    z += x * y;
    y += y;
    if (z === before) return z;
  }
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let y = 1;
  let z = 1 - x;
  for (;;) {
    x = Math.sqrt(x);
    const before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
    if (z === before) return z / 3;
  }
}
