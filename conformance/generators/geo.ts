/** Geo. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import { count, spoil, value } from '../live/words.js';
import { within } from '../matchers.js';
import type { Reply } from '../reply.js';

function key(random: Random): string {
  return random.pick(['g1', 'g1', 'g2']);
}

function place(random: Random): string {
  return random.oneIn(20) ? value(random) : `p${random.below(10)}`;
}

function coordinate(random: Random, limit: number): string {
  if (random.oneIn(25)) {
    return random.pick([
      '181',
      '-180',
      '180',
      '85.05112878',
      '-85.05112878',
      '86',
      'x',
      '',
      '-180.0001',
      'nan',
      '0',
    ]);
  }
  // Half of them close together, so that radii mean something; half anywhere.
  if (random.oneIn(2)) return String(random.between(1300, 1500) / 100);
  return String((random.below(2 * limit * 10000) - limit * 10000) / 10000);
}

function longitudeLatitude(random: Random): string[] {
  return [coordinate(random, 180), coordinate(random, 85)];
}

function unit(random: Random): string {
  return random.oneIn(30) ? 'yards' : random.case(random.pick(['m', 'km', 'ft', 'mi']));
}

function distance(random: Random): string {
  if (random.oneIn(25)) return random.pick(['0', '-1', 'x', '1e10', '0.001', 'nan', '']);
  return random.pick(['1', '100', '200', '500.5', '1000', '5000', '20000', '200000', '1000000', '50000000']);
}

function geoadd(random: Random): string[] {
  return spoil(random, [
    ...['GEOADD', key(random)],
    ...random.maybe(() => [random.pick(['NX', 'XX'])], 6),
    ...random.maybe(() => ['CH'], 6),
    ...random.many(1, 3, () => [...longitudeLatitude(random), place(random)]).flat(),
  ]);
}

function withOptions(random: Random): string[][] {
  return [
    random.maybe(() => ['WITHCOORD'], 3),
    random.maybe(() => ['WITHDIST'], 3),
    random.maybe(() => ['WITHHASH'], 3),
  ];
}

/**
 * COUNT ANY stops at some elements, in an order that is Redis's scan order: it is deterministic and compared
 * as such.
 */
function narrowing(random: Random): string[][] {
  return [
    random.maybe(() => [random.case('COUNT'), count(random), ...random.maybe(() => ['ANY'], 4)], 3),
    random.maybe(() => [random.case(random.pick(['ASC', 'DESC']))]),
  ];
}

/**
 * Stores distances at a key of its own, looks at them and deletes them: the C library's sine and arc sine are
 * not always rounded to the nearest double (and differ between processors), so that the last digits of a
 * stored distance are no common ground.
 */
function storedDistances(destination: string, words: string[]): Unit {
  const compare = (reference: Reply, target: Reply): boolean => within(1e-6, reference, target);
  return {
    commands: [
      { words },
      { words: ['ZRANGE', destination, '0', '-1', 'WITHSCORES'], compare },
      { words: ['DEL', destination] },
    ],
  };
}

function radius(random: Random): Unit {
  const readOnly = random.oneIn(3);
  const byMember = random.oneIn(2);
  const name = `GEORADIUS${byMember ? 'BYMEMBER' : ''}${readOnly ? '_RO' : ''}`;
  const storesDistance = !readOnly && random.oneIn(12);
  const store = storesDistance ? ['STOREDIST', 'distances'] : random.maybe(() => ['STORE', key(random)], 8);
  const centre = byMember ? [place(random)] : longitudeLatitude(random);
  const options = random.shuffle([
    ...(store.length > 0 && !random.oneIn(8) ? [] : withOptions(random)),
    ...narrowing(random),
  ]);
  const words = [
    ...[name, key(random), ...centre, distance(random), unit(random)],
    ...[...options.flat(), ...store],
  ];
  return storesDistance ? storedDistances('distances', words) : command(spoil(random, words));
}

function search(random: Random): Unit {
  const store = random.oneIn(4);
  const from = random.oneIn(2) ? ['FROMMEMBER', place(random)] : ['FROMLONLAT', ...longitudeLatitude(random)];
  const by = random.oneIn(2)
    ? ['BYRADIUS', distance(random), unit(random)]
    : ['BYBOX', distance(random), distance(random), unit(random)];
  const extra = random.maybe(() => (random.oneIn(2) ? from : by), 20);
  const options = random
    .shuffle([from, by, extra, ...narrowing(random), ...(store ? [] : withOptions(random))])
    .flat();
  if (!store) return command(spoil(random, ['GEOSEARCH', key(random), ...options]));
  if (random.oneIn(3))
    return storedDistances('distances', [
      'GEOSEARCHSTORE',
      'distances',
      key(random),
      ...options,
      'STOREDIST',
    ]);
  return command(spoil(random, ['GEOSEARCHSTORE', key(random), key(random), ...options]));
}

export const family: Family = {
  name: 'geo',
  generators: [
    [16, geoadd],
    [3, (random) => spoil(random, ['GEOPOS', key(random), ...random.many(0, 3, () => place(random))])],
    [3, (random) => spoil(random, ['GEOHASH', key(random), ...random.many(0, 3, () => place(random))])],
    [
      4,
      (random) =>
        spoil(random, [
          'GEODIST',
          key(random),
          place(random),
          place(random),
          ...random.maybe(() => [unit(random)]),
        ]),
    ],
    [8, radius],
    [12, search],
    [1, (random) => ['ZREM', key(random), place(random)]],
    [1, (random) => ['ZRANGE', key(random), '0', '-1', 'WITHSCORES']],
    [1, (random) => ['ZADD', key(random), String(random.below(1 << 30)), place(random)]],
    [1, (random) => (random.oneIn(8) ? ['SET', key(random), 'x'] : ['DEL', key(random)])],
  ],
};
