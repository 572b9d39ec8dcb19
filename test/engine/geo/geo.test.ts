import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { distanceMeters, unitMeters } from '../../../engine/geo/distance.js';
import { geohashText, isOnGrid, positionOf, scoreOf } from '../../../engine/geo/geohash.js';
import { distanceWithin, type Shape, searchRanges } from '../../../engine/geo/search.js';
import { formatCoordinate, formatDouble, formatFixed, parseDouble } from '../../../engine/numbers/double.js';
import { distances, members, oddScores, positions, searches } from './redis-vectors.js';

test('scores, geohashes and positions equal those of redis-server', () => {
  for (const [longitude, latitude, score, text, longitudeText, latitudeText] of positions) {
    assert.ok(isOnGrid(longitude, latitude));
    const ours = scoreOf(longitude, latitude);
    assert.equal(formatDouble(ours), score);
    assert.equal(geohashText(ours), text);
    const position = positionOf(ours);
    assert.deepEqual(
      [formatCoordinate(position.longitude), formatCoordinate(position.latitude)],
      [longitudeText, latitudeText],
    );
  }
  assert.ok(!isOnGrid(180.000001, 0) && !isOnGrid(0, 85.06) && !isOnGrid(0, -85.06) && !isOnGrid(NaN, 0));
});

test('scores that GEOADD never gives are decoded all the same', () => {
  for (const [score, text, longitudeText, latitudeText] of oddScores) {
    const value = parseDouble(score)!;
    assert.equal(geohashText(value), text, score);
    const position = positionOf(value);
    assert.deepEqual(
      [formatCoordinate(position.longitude), formatCoordinate(position.latitude)],
      [longitudeText, latitudeText],
      score,
    );
  }
});

test('distances equal those of redis-server', () => {
  for (const [first, second, unit, expected] of distances) {
    const [a, b] = [first, second].map((i) => positionOf(scoreOf(positions[i]![0], positions[i]![1])));
    const meters = distanceMeters(a!.longitude, a!.latitude, b!.longitude, b!.latitude);
    assert.equal(formatFixed(meters / unitMeters[unit], 4), expected);
  }
});

const byScore = members
  .map(({ longitude, latitude }, member) => ({ member, score: scoreOf(longitude, latitude) }))
  .sort((a, b) => a.score - b.score || (`${a.member}` < `${b.member}` ? -1 : 1));

function search(shape: Shape): { member: number; distance: number }[] {
  const found: { member: number; distance: number }[] = [];
  for (const { min, max } of searchRanges(shape)) {
    for (const { member, score } of byScore) {
      if (score < min || score >= max) continue;
      const position = positionOf(score);
      const distance = distanceWithin(shape, position.longitude, position.latitude);
      if (distance >= 0) found.push({ member, distance });
    }
  }
  return found;
}

function shapeOf(longitude: number, latitude: number, a: number, b: number): Shape {
  return b === 0
    ? { kind: 'circle', longitude, latitude, radiusMeters: a }
    : { kind: 'box', longitude, latitude, widthMeters: a, heightMeters: b };
}

test('searches find the same members in the same order as redis-server', () => {
  for (const [longitude, latitude, a, b, expected, distance] of searches) {
    const found = search(shapeOf(longitude, latitude, a, b));
    assert.deepEqual(
      found.map(({ member }) => member),
      expected,
    );
    if (found.length > 0) assert.equal(formatFixed(found[0]!.distance, 4), distance);
  }
});

test('away from the poles a search finds all that is inside', () => {
  const coordinate = fc.record({
    longitude: fc.double({ min: -150, max: 150, noNaN: true }),
    latitude: fc.double({ min: -60, max: 60, noNaN: true }),
  });
  fc.assert(
    fc.property(
      coordinate,
      fc.double({ min: 1, max: 1_000_000, noNaN: true }),
      ({ longitude, latitude }, size) => {
        const shape = shapeOf(longitude, latitude, size, 0);
        const inside = byScore.filter(({ score }) => {
          const position = positionOf(score);
          return distanceWithin(shape, position.longitude, position.latitude) >= 0;
        });
        assert.equal(new Set(search(shape).map(({ member }) => member)).size, inside.length);
        assert.ok(searchRanges(shape).length <= 9);
      },
    ),
  );
});

test('a position stays within half a cell of what was given', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -179.99, max: 179.99, noNaN: true }),
      fc.double({ min: -85.05, max: 85.05, noNaN: true }),
      (longitude, latitude) => {
        const position = positionOf(scoreOf(longitude, latitude));
        assert.ok(Math.abs(position.longitude - longitude) <= 360 / 2 ** 27 + 1e-13);
        assert.ok(Math.abs(position.latitude - latitude) <= 171 / 2 ** 27 + 1e-13);
      },
    ),
  );
});
