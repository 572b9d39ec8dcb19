/**
 * exp, log, pow and the circular functions: correctly rounded values, and the same bits on every release of
 * Node.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acos, asin, atan, atan2, cos, sin, tan } from '../../../engine/numbers/circular.js';
import { cosh, exp, log, log10, pow, sinh, tanh } from '../../../engine/numbers/elementary.js';

/** A running hash of the bits of results. */
class BitHash {
  private hash = 0x811c9dc5;
  private readonly doubles = new Float64Array(1);
  private readonly words = new Uint32Array(this.doubles.buffer);

  add(value: number): void {
    this.doubles[0] = Number.isNaN(value) ? Number.NaN : value;
    this.hash = Math.imul(this.hash ^ this.words[0]!, 0x01000193);
    this.hash = Math.imul(this.hash ^ this.words[1]!, 0x01000193);
  }

  get value(): string {
    return (this.hash >>> 0).toString(16).padStart(8, '0');
  }
}

/** The bits of 20,000 results each; recorded on Node 20, and to be the same on 22, 24 and 26. */
const recorded = 'a5d9c7b8';

test('results have the same bits on every release of Node', () => {
  let state = 12345;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
  const hash = new BitHash();
  for (let i = 0; i < 20_000; i++) {
    const x = (random() - 0.5) * 40;
    const size = Math.abs(x);
    const small = random() * 2 - 1;
    for (const value of [
      exp(x),
      log(size),
      log10(size),
      pow(size, small * 30),
      pow(-size, Math.round(small * 9)),
    ]) {
      hash.add(value);
    }
    for (const value of [sinh(x), cosh(x), tanh(small), sin(x * 1000), cos(x), tan(x)]) hash.add(value);
    for (const value of [asin(small), acos(small), atan(x), atan2(small, x)]) hash.add(value);
  }
  assert.equal(hash.value, recorded);
});

test('values of glibc, all digits', () => {
  const cases: readonly (readonly [actual: number, expected: number])[] = [
    [exp(1), Math.E],
    [log(10), Math.LN10],
    [log10(1000), 3],
    [pow(2, 0.5), Math.SQRT2],
    [pow(10, -2), 0.01],
    [pow(10, 308), 1e308],
    [pow(3, 0.7), 2.157669279974593],
    [pow(2, -1074), 5e-324],
    [pow(-8, 3), -512],
    [pow(7, 13), 96889010407],
    [sin(1e22), -0.8522008497671888],
    [cos(1e22), 0.523214785395139],
    [tan(1), 1.5574077246549023],
    [acos(-0.9), 2.6905658417935308],
    [atan(1), 0.7853981633974483],
    [atan2(1, -1), 2.356194490192345],
    [sinh(1), 1.1752011936438014],
    [tanh(0.1), 0.09966799462495582],
  ];
  for (const [actual, expected] of cases) assert.equal(actual, expected);
});

test('powers of two by `**`, which engine code uses with whole exponents, are exact', () => {
  for (let n = -1022, power = 2.2250738585072014e-308; n <= 1023; n++, power *= 2) {
    assert.equal(2 ** n, power);
    assert.equal(pow(2, n), power);
  }
});

test('special values of pow are those of C', () => {
  for (const y of [Number.NaN, Infinity, -Infinity, 5]) assert.equal(pow(1, y), 1);
  assert.equal(pow(Number.NaN, 0), 1);
  assert.equal(pow(-1, Infinity), 1);
  assert.ok(Number.isNaN(pow(-2, 0.5)));
  assert.ok(Object.is(pow(-0, 3), -0));
  assert.equal(pow(-0, -3), -Infinity);
  assert.equal(pow(-Infinity, 3), -Infinity);
  assert.equal(pow(0.5, Infinity), 0);
  assert.equal(pow(2, 1024), Infinity);
  assert.equal(pow(2, -1080), 0);
});
