/** Strings. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import {
  float,
  index,
  integer,
  key,
  milliseconds,
  seconds,
  spoil,
  tolerance,
  unixMilliseconds,
  unixSeconds,
  value,
} from '../live/words.js';

/** An expiry option of SET or GETEX. */
export function expiryOption(random: Random): string[] {
  switch (random.below(4)) {
    case 0:
      return [random.case('EX'), seconds(random)];
    case 1:
      return [random.case('PX'), milliseconds(random)];
    case 2:
      return [random.case('EXAT'), unixSeconds(random)];
    default:
      return [random.case('PXAT'), unixMilliseconds(random)];
  }
}

function set(random: Random): string[] {
  const options = [
    ...random.maybe(() => [random.case(random.pick(['NX', 'XX']))], 3),
    ...random.maybe(() => [random.case('GET')], 4),
    ...random.maybe(() => expiryOption(random), 4),
    ...random.maybe(() => ['KEEPTTL'], 8),
    ...random.maybe(() => [random.pick(['NX', 'XX', 'PERSIST', 'NOPE', 'GET'])], 25),
  ];
  return spoil(random, ['SET', key(random), value(random), ...options]);
}

function getEx(random: Random): string[] {
  const options = random.oneIn(2) ? expiryOption(random) : random.maybe(() => ['PERSIST'], 2);
  return spoil(random, ['GETEX', key(random), ...options, ...random.maybe(() => ['PERSIST'], 25)]);
}

function lcs(random: Random): string[] {
  return spoil(random, [
    ...['LCS', key(random), key(random)],
    ...random.maybe(() => [random.case('LEN')], 3),
    ...random.maybe(() => [random.case('IDX')], 2),
    ...random.maybe(() => ['MINMATCHLEN', index(random)], 3),
    ...random.maybe(() => ['WITHMATCHLEN'], 3),
  ]);
}

function ttl(random: Random): Unit {
  const name = random.pick(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']);
  return command([name, key(random)], { compare: tolerance(name[0] === 'P' ? 5000 : 5) });
}

/** Small, for LCS costs the product of two lengths; or past what a string can hold. */
function offset(random: Random): string {
  if (random.oneIn(20)) return random.pick(['-1', '536870912', '9223372036854775807', 'x', '', '300']);
  return String(random.between(0, 20));
}

/** Key and value pairs. */
function pairs(random: Random): string[] {
  return random.many(1, 3, () => [key(random), value(random)]).flat();
}

export const family: Family = {
  name: 'strings',
  generators: [
    [10, set],
    [8, (random) => spoil(random, ['GET', key(random)])],
    [4, getEx],
    [2, (random) => spoil(random, ['GETDEL', key(random)])],
    [3, (random) => spoil(random, ['GETSET', key(random), value(random)])],
    [3, (random) => spoil(random, ['SETNX', key(random), value(random)])],
    [2, (random) => spoil(random, ['SETEX', key(random), seconds(random), value(random)])],
    [2, (random) => spoil(random, ['PSETEX', key(random), milliseconds(random), value(random)])],
    [3, (random) => spoil(random, ['MSET', ...pairs(random)])],
    [2, (random) => spoil(random, ['MSETNX', ...pairs(random)])],
    [3, (random) => spoil(random, ['MGET', ...random.many(1, 4, () => key(random))])],
    [6, (random) => spoil(random, ['APPEND', key(random), value(random)])],
    [3, (random) => spoil(random, ['STRLEN', key(random)])],
    [
      5,
      (random) =>
        spoil(random, [
          random.pick(['GETRANGE', 'GETRANGE', 'SUBSTR']),
          key(random),
          index(random),
          index(random),
        ]),
    ],
    [4, (random) => spoil(random, ['SETRANGE', key(random), offset(random), value(random)])],
    [5, (random) => spoil(random, [random.pick(['INCR', 'DECR']), key(random)])],
    [6, (random) => spoil(random, [random.pick(['INCRBY', 'DECRBY']), key(random), integer(random)])],
    [6, (random) => spoil(random, ['INCRBYFLOAT', key(random), float(random)])],
    [3, lcs],
    [3, ttl],
    [2, (random) => ['DEL', key(random)]],
    [1, (random) => ['LPUSH', key(random), value(random)]],
    [3, (random) => ['OBJECT', 'ENCODING', key(random)]],
    [3, (random) => ['SET', key(random), random.oneIn(2) ? integer(random) : float(random)]],
    [
      1,
      (random) => [
        random.pick(['SET', 'APPEND']),
        key(random),
        random.pick(['ohmytext', 'mynewtext', 'GACTTAC']),
      ],
    ],
  ],
};
