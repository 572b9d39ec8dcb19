import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatCoordinate,
  formatDouble,
  formatFixed,
  formatPackedScore,
  isOutOfDoubleRange,
  parseDouble,
  parseDoubleLoosely,
  parseLeadingDouble,
  powerOfTwo,
  trimFixed,
} from '../../../engine/numbers/double.js';
import { fixed, scores } from './redis-vectors.js';

test('scores are read and printed as redis-server does', () => {
  for (const [literal, printed] of scores) {
    const value = parseDouble(literal);
    if (value === undefined) assert.equal(printed, null, JSON.stringify(literal));
    else
      assert.equal(
        formatDouble(Number(formatPackedScore(value).replace('inf', 'Infinity'))),
        printed,
        literal,
      );
  }
});

test('minus zero keeps its sign outside a listpack', () => {
  assert.ok(Object.is(parseDouble('-0'), -0));
  assert.equal(formatDouble(-0), '-0');
  assert.equal(formatPackedScore(-0), '0');
  // Stored as integers up to 2^62, though printed with an exponent from 1e17 on.
  assert.equal(formatPackedScore(155401018215343360), '155401018215343360');
  assert.equal(formatPackedScore(-(2 ** 62)), `${-(2n ** 62n)}`);
  assert.equal(formatPackedScore(2 ** 63), '9.2233720368547758e+18');
  assert.equal(formatDouble(Infinity), 'inf');
  assert.equal(formatDouble(-Infinity), '-inf');
  assert.equal(formatDouble(NaN), 'nan');
});

test('every double survives its 17 digits', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => {
      assert.ok(Object.is(parseDouble(formatDouble(value)), value), formatDouble(value));
    }),
    { numRuns: 2000 },
  );
});

test('fixed decimals round ties to even as printf does', () => {
  for (const [literal, four, seventeen] of fixed) {
    assert.equal(formatFixed(Number(literal), 4), four, literal);
    assert.equal(formatFixed(Number(literal), 17), seventeen, literal);
    assert.equal(formatCoordinate(Number(literal)), trimFixed(seventeen), literal);
  }
});

test('range bounds follow strtod on a C string', () => {
  assert.equal(parseDoubleLoosely(''), 0);
  assert.equal(parseDoubleLoosely('(5', 1), 5);
  assert.equal(parseDoubleLoosely('(', 1), 0);
  assert.equal(parseDoubleLoosely(' 5'), 5);
  assert.equal(parseDoubleLoosely('5\0junk'), 5);
  assert.equal(parseLeadingDouble('1.5e1x'), 15);
  assert.equal(parseLeadingDouble('-infx'), -Infinity);
  assert.equal(parseLeadingDouble('xyz'), 0);
  assert.equal(parseDoubleLoosely('1e999'), Infinity);
  assert.equal(parseDoubleLoosely('-inf'), -Infinity);
  for (const refused of ['5 ', 'x', '5x', 'nan', '0x', '(5'])
    assert.ok(Number.isNaN(parseDoubleLoosely(refused)), refused);
});

test('strtod reports a range error for overflow and for inexact subnormals only', () => {
  for (const text of ['1e309', '-1e400', '1e-400', '1e-320', '0x1.8p-1074'])
    assert.ok(isOutOfDoubleRange(text), text);
  const exact = `${2n ** 1074n}`;
  const smallest = `${5n ** 1074n}e-1074`;
  assert.ok(exact.length > 300);
  for (const text of ['1', '0', '0e-999', 'inf', '1e-300', '0x1p-1074', smallest]) {
    assert.ok(!isOutOfDoubleRange(text), text);
  }
});

test('literals of any length are read', () => {
  const long = 40_000;
  assert.equal(parseDouble(`0x1${'0'.repeat(long)}p-${4 * long}`), 1);
  // A one far behind decides a tie between 2^53 and its successor.
  assert.equal(parseDouble(`0x20000000000001.${'0'.repeat(long)}`), 2 ** 53);
  assert.equal(parseDouble(`0x20000000000001.${'0'.repeat(long)}1`), 2 ** 53 + 2);
  assert.equal(parseDouble(`0x.${'0'.repeat(long)}8p${4 * long}`), 0.5);
  assert.equal(parseDouble(`9007199254740993.${'0'.repeat(long)}1`), 2 ** 53 + 2);
  assert.ok(isOutOfDoubleRange(`1${'1'.repeat(long)}e-${long + 315}`));
});

test('powers of two are exact', () => {
  assert.equal(powerOfTwo(-1074), Number.MIN_VALUE);
  assert.equal(powerOfTwo(1023), 8.98846567431158e307);
  assert.equal(powerOfTwo(0), 1);
});
