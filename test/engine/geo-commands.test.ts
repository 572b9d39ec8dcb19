/** Geo commands in process; the arithmetic has tests of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../engine/index.js';
import { script, sorted } from './script.js';

const sicily = ['GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania', 2] as const;

test('adding and asking', () => {
  script([
    sicily,
    ['GEOADD g XX CH 13.5 38 Palermo 1 1 none', 1],
    ['GEOADD g NX 13.361389 38.115556 Palermo', 0],
    ['GEOADD g CH 13.361389 38.115556 Palermo', 1],
    ['GEOADD g NX XX 1 1 a', '!ERR syntax error'],
    ['GEOADD g 180.0078125 1 a', '!ERR invalid longitude,latitude pair 180.007812,1.000000'],
    ['GEOADD g 1 -inf a', '!ERR invalid longitude,latitude pair 1.000000,-inf'],
    ['GEODIST g Palermo Catania', '166274.1516'],
    ['GEODIST g Palermo Catania KM', '166.2742'],
    ['GEODIST g Palermo none', null],
    ['GEODIST g Palermo Catania yards', '!ERR unsupported unit provided. please use M, KM, FT, MI'],
    ['GEOHASH g Palermo none', ['sqc8b49rny0', null]],
    ['GEOPOS g Palermo none', [[13.361389338970184, 38.1155563954963], null]],
    ['ZSCORE g Palermo', 3479099956230698],
  ]);
});

test('searching', () => {
  script([
    sicily,
    ['GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC', ['Catania', 'Palermo']],
    ['GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km DESC COUNT 1', ['Palermo']],
    [
      'GEOSEARCH g FROMMEMBER Palermo BYBOX 1 1 km WITHDIST WITHHASH',
      [['Palermo', '0.0000', 3479099956230698]],
    ],
    ['GEORADIUS g 15 37 100 km', ['Catania']],
    ['GEORADIUSBYMEMBER_RO g Palermo 1 m STORE d', '!ERR syntax error'],
    ['GEORADIUSBYMEMBER g none 1 m', '!ERR could not decode requested zset member'],
    ['GEORADIUSBYMEMBER absent none x y', []],
    ['GEORADIUS g 15 37 1 km COUNT 1 ANY', []],
    ['GEORADIUS g 15 37 1 km ANY', '!ERR the ANY argument requires COUNT argument'],
    [
      'geosearch g FROMMEMBER Palermo ASC ASC ASC',
      '!ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch',
    ],
    [
      'GEORADIUS g 15 37 1 km WITHDIST STORE d',
      '!ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options',
    ],
  ]);
});

test('storing', () => {
  script([
    sicily,
    ['SET d x EX 100', 'OK'],
    ['GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km', 2],
    ['TTL d', -1],
    ['ZSCORE d Catania', 3479447370796909],
    ['GEORADIUS g 15 37 100 km STOREDIST d', 1],
    ['ZRANGE d 0 -1', ['Catania']],
    ['GEORADIUS g 0 0 1 m STORE d', 0],
    ['EXISTS d', 0],
    ['GEOSEARCHSTORE g g FROMLONLAT 15 37 BYRADIUS 100 km', 1],
    ['GEOSEARCHSTORE g none FROMLONLAT 15 37 BYRADIUS 100 km', 0],
    ['EXISTS g', 0],
  ]);
});

// Away from the poles and the date line, where Redis's search, and so ours, may leave members out.
test('a search finds what the distances say, packed and big', () => {
  const place = fc.record({
    longitude: fc.double({ min: -150, max: 150, noNaN: true }),
    latitude: fc.double({ min: -60, max: 60, noNaN: true }),
  });
  fc.assert(
    fc.property(
      fc.array(place, { minLength: 2, maxLength: 60 }),
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.boolean(),
      (places, radius, big) => {
        const engine = new Engine({ settings: { 'zset-max-listpack-entries': big ? 0 : 128 } });
        places.forEach(({ longitude, latitude }, i) => {
          engine.call('GEOADD', 'g', String(longitude), String(latitude), `p${i}`);
        });
        const near = places
          .map((_, i) => `p${i}`)
          .filter((name) => Number(engine.call('GEODIST', 'g', 'p0', name)) <= radius);
        const found = engine.call('GEOSEARCH', 'g', 'FROMMEMBER', 'p0', 'BYRADIUS', radius, 'm');
        assert.deepEqual(sorted(found), near.sort());
      },
    ),
    { numRuns: 100 },
  );
});
