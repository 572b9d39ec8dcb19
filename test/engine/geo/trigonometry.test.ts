import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { asin, cos, sin } from '../../../engine/geo/trigonometry.js';

/** x, sin x, cos x, asin x: computed with 113 bits (libquadmath) and rounded to the nearest double. */
const rounded: [number, number, number, number][] = [
  [1e-10, 1e-10, 1, 1e-10],
  [0.00001, 0.000009999999999833334, 0.99999999995, 0.000010000000000166668],
  [0.1, 0.09983341664682815, 0.9950041652780258, 0.1001674211615598],
  [0.5, 0.479425538604203, 0.8775825618903728, 0.5235987755982989],
  [0.50001, 0.47943431440585044, 0.8775777675911076, 0.5236103226421731],
  [0.7853981633974483, 0.7071067811865475, Math.SQRT1_2, 0.9033391107665127],
  [0.9, 0.7833269096274834, 0.6216099682706644, 1.1197695149986342],
  [0.999999999, 0.8414709842675943, 0.5403023067096107, 1.5707516054359754],
  [0.9999999999999999, 0.8414709848078964, 0.5403023058681398, 1.5707963118937354],
  [1, 0.8414709848078965, 0.5403023058681398, 1.5707963267948966],
  [1.2345, 0.9439833239445111, 0.32999315767856785, NaN],
  [1.5707963267948966, 1, 6.123233995736766e-17, NaN],
  [2, 0.9092974268256817, -0.4161468365471424, NaN],
  [2.5, 0.5984721441039565, -0.8011436155469337, NaN],
  [3, 0.1411200080598672, -0.9899924966004454, NaN],
  [Math.PI, 1.2246467991473532e-16, -1, NaN],
  [-0.3, -0.29552020666133955, 0.955336489125606, -0.3046926540153975],
  [-1, -0.8414709848078965, 0.5403023058681398, -1.5707963267948966],
];

test('results are the nearest doubles', () => {
  for (const [x, sine, cosine, arcsine] of rounded) {
    assert.equal(sin(x), sine, `sin ${x}`);
    assert.equal(cos(x), cosine, `cos ${x}`);
    assert.equal(asin(x), arcsine, `asin ${x}`);
  }
  assert.ok(Object.is(sin(-0), -0));
  assert.equal(cos(0), 1);
});

test('they agree with the engine’s own functions but for the last digit', () => {
  const near = (a: number, b: number) => Math.abs(a - b) <= Math.max(Math.abs(b) * 2 ** -51, 1e-320);
  fc.assert(
    fc.property(
      fc.double({ min: -4, max: 4, noNaN: true }),
      fc.double({ min: -1, max: 1, noNaN: true }),
      (x, y) => {
        assert.ok(near(sin(x), Math.sin(x)), `sin ${x}`);
        assert.ok(near(cos(x), Math.cos(x)), `cos ${x}`);
        assert.ok(near(asin(y), Math.asin(y)), `asin ${y}`);
      },
    ),
    { numRuns: 2000 },
  );
});
