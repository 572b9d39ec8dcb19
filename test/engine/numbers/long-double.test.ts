import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDouble } from '../../../engine/numbers/double.js';
import {
  addLongDouble,
  ceilLongDouble,
  formatLongDouble,
  isFiniteLongDouble,
  longDoubleFromInt64,
  multiplyLongDouble,
  parseLongDouble,
} from '../../../engine/numbers/long-double.js';
import { scores, sums } from './redis-vectors.js';

function incrByFloat(value: string, increment: string): string {
  const a = parseLongDouble(value);
  const b = parseLongDouble(increment);
  if (a === undefined || b === undefined) return '!value is not a valid float';
  const sum = addLongDouble(a, b);
  if (sum === undefined || !isFiniteLongDouble(sum)) return '!increment would produce NaN or Infinity';
  return formatLongDouble(sum);
}

test('sums equal those of redis-server on x86-64', () => {
  for (const [value, increment, reply] of sums) {
    assert.equal(
      incrByFloat(value, increment),
      reply,
      `${JSON.stringify(value)} + ${JSON.stringify(increment)}`,
    );
  }
});

test('what is a double literal is a long double literal', () => {
  for (const [literal, printed] of scores) {
    if (printed !== null) assert.notEqual(parseLongDouble(literal), undefined, literal);
    else if (parseLongDouble(literal) !== undefined)
      assert.match(literal, /^-?(?:[\d.]+e[-+]?\d+|0x.*)$/, literal);
  }
  assert.equal(parseLongDouble(`0.${'0'.repeat(5118)}`), undefined);
  assert.notEqual(parseLongDouble(`0.${'0'.repeat(5117)}`), undefined);
});

test('integers pass unchanged', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      assert.equal(formatLongDouble(longDoubleFromInt64(value)), `${value}`);
      assert.deepEqual(parseLongDouble(`${value}`), longDoubleFromInt64(value));
    }),
  );
});

test('addition commutes and a double parses to itself', () => {
  const literal = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String);
  fc.assert(
    fc.property(literal, literal, (a, b) => {
      assert.equal(incrByFloat(a, b), incrByFloat(b, a));
      const value = parseLongDouble(a)!;
      if (Math.abs(parseDouble(a)!) < 2 ** 53)
        assert.equal(Number(ceilLongDouble(value)) + 0, Math.ceil(Number(a)) + 0);
    }),
  );
});

test('seconds become whole milliseconds, rounded up', () => {
  const milliseconds = (text: string) => ceilLongDouble(multiplyLongDouble(parseLongDouble(text)!, 1000));
  assert.equal(milliseconds('0.1'), 100n);
  assert.equal(milliseconds('0.0001'), 1n);
  assert.equal(milliseconds('1.0015'), 1002n);
  assert.equal(milliseconds('-0.5'), -500n);
  assert.equal(milliseconds('1e16'), 10_000_000_000_000_000_000n);
});
