/** Keys of any type: deletion, expiry, renaming, copying, databases. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import {
  count,
  integer,
  key,
  member,
  milliseconds,
  pattern,
  score,
  seconds,
  shape,
  spoil,
  tolerance,
  unixMilliseconds,
  unixSeconds,
  unordered,
  value,
} from '../live/words.js';

/** A command that makes a key of some type. */
export function makeKey(random: Random): string[] {
  switch (random.below(6)) {
    case 0:
      return ['SET', key(random), value(random)];
    case 1:
      return ['RPUSH', key(random), ...random.many(1, 3, () => value(random))];
    case 2:
      return ['SADD', key(random), ...random.many(1, 4, () => member(random))];
    case 3:
      return ['HSET', key(random), ...random.many(1, 3, () => [member(random), value(random)]).flat()];
    case 4:
      return ['ZADD', key(random), ...random.many(1, 3, () => [score(random), member(random)]).flat()];
    default:
      return ['SETEX', key(random), String(random.between(10_000, 900_000_000)), value(random)];
  }
}

function expire(random: Random): string[] {
  const options = random.maybe(
    () => random.many(1, 2, () => random.case(random.pick(['NX', 'XX', 'GT', 'LT']))),
    2,
  );
  switch (random.below(4)) {
    case 0:
      return spoil(random, ['EXPIRE', key(random), seconds(random), ...options]);
    case 1:
      return spoil(random, ['PEXPIRE', key(random), milliseconds(random), ...options]);
    case 2:
      return spoil(random, ['EXPIREAT', key(random), unixSeconds(random), ...options]);
    default:
      return spoil(random, ['PEXPIREAT', key(random), unixMilliseconds(random), ...options]);
  }
}

function ttl(random: Random): Unit {
  const name = random.pick(['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME']);
  return command(spoil(random, [name, key(random)]), { compare: tolerance(name[0] === 'P' ? 5000 : 5) });
}

function database(random: Random): string {
  return random.oneIn(15) ? random.pick(['16', '-1', 'x', '99999999999']) : random.pick(['0', '1', '2']);
}

function copy(random: Random): string[] {
  return spoil(random, [
    ...['COPY', key(random), key(random)],
    ...random.maybe(() => ['DB', database(random)], 3),
    ...random.maybe(() => [random.case('REPLACE')]),
  ]);
}

/** RANDOMKEY is a matter of chance: only whether there is one can be equal. */
function randomKey(): Unit {
  return command(['RANDOMKEY'], { normalise: shape });
}

function object(random: Random): Unit {
  const name = random.pick(['ENCODING', 'ENCODING', 'REFCOUNT', 'IDLETIME', 'FREQ', 'NOPE']);
  const words = spoil(random, ['OBJECT', name, key(random)]);
  return name === 'IDLETIME' ? command(words, { compare: tolerance(60) }) : command(words);
}

export const family: Family = {
  name: 'keys',
  databases: [0, 1, 2],
  generators: [
    [20, makeKey],
    [5, (random) => spoil(random, [random.pick(['DEL', 'UNLINK']), ...random.many(1, 3, () => key(random))])],
    [
      4,
      (random) => spoil(random, [random.pick(['EXISTS', 'TOUCH']), ...random.many(1, 3, () => key(random))]),
    ],
    [3, (random) => spoil(random, ['TYPE', key(random)])],
    [10, expire],
    [6, ttl],
    [3, (random) => spoil(random, ['PERSIST', key(random)])],
    [5, (random) => spoil(random, [random.pick(['RENAME', 'RENAMENX']), key(random), key(random)])],
    [6, copy],
    [4, (random) => spoil(random, ['MOVE', key(random), database(random)])],
    [1, (random) => spoil(random, ['SWAPDB', database(random), database(random)])],
    [3, (random) => spoil(random, ['SELECT', database(random)])],
    [2, randomKey],
    [3, (random) => command(spoil(random, ['KEYS', pattern(random)]), { normalise: unordered })],
    [2, () => ['DBSIZE']],
    [
      1,
      (random) =>
        random.oneIn(8) ? spoil(random, ['FLUSHDB', ...random.maybe(() => ['ASYNC'])]) : ['DBSIZE'],
    ],
    [
      1,
      (random) =>
        random.oneIn(25) ? spoil(random, ['FLUSHALL', ...random.maybe(() => ['SYNC'])]) : ['DBSIZE'],
    ],
    [5, object],
    [1, (random) => spoil(random, ['WAIT', '0', count(random)])],
    [2, (random) => ['GET', key(random)]],
    [1, (random) => ['APPEND', key(random), integer(random)]],
  ],
};
