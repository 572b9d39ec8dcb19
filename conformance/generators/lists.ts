/** Lists. */
import type { Random } from '../live/random.js';
import type { Family } from '../live/unit.js';
import { count, index, key, spoil, value, wrongTypeOrGone } from '../live/words.js';

function side(random: Random): string {
  return random.oneIn(30) ? 'UP' : random.case(random.pick(['LEFT', 'RIGHT']));
}

function element(random: Random): string {
  return random.oneIn(5) ? value(random) : random.pick(['a', 'b', 'c', '1', '2', '3']);
}

function pushes(random: Random): string[] {
  const name = random.pick(['RPUSH', 'LPUSH', 'RPUSH', 'LPUSH', 'RPUSHX', 'LPUSHX']);
  return spoil(random, [
    name,
    key(random),
    ...random.many(1, random.oneIn(10) ? 20 : 4, () => element(random)),
  ]);
}

function position(random: Random): string[] {
  return spoil(random, [
    ...['LPOS', key(random), element(random)],
    ...random.maybe(() => [random.case('RANK'), index(random)]),
    ...random.maybe(() => [random.case('COUNT'), count(random)]),
    ...random.maybe(() => [random.case('MAXLEN'), count(random)], 3),
  ]);
}

function multiPop(random: Random): string[] {
  const keys = random.many(1, 3, () => key(random));
  return spoil(random, [
    ...['LMPOP', random.oneIn(20) ? count(random) : String(keys.length), ...keys, side(random)],
    ...random.maybe(() => [random.case('COUNT'), count(random)]),
  ]);
}

export const family: Family = {
  name: 'lists',
  generators: [
    [26, pushes],
    [
      8,
      (random) =>
        spoil(random, [random.pick(['LPOP', 'RPOP']), key(random), ...random.maybe(() => [count(random)])]),
    ],
    [3, (random) => spoil(random, ['LLEN', key(random)])],
    [5, (random) => spoil(random, ['LINDEX', key(random), index(random)])],
    [7, (random) => spoil(random, ['LRANGE', key(random), index(random), index(random)])],
    [4, (random) => spoil(random, ['LSET', key(random), index(random), element(random)])],
    [
      5,
      (random) =>
        spoil(random, [
          ...[
            'LINSERT',
            key(random),
            random.oneIn(20) ? 'AT' : random.case(random.pick(['BEFORE', 'AFTER'])),
          ],
          ...[element(random), element(random)],
        ]),
    ],
    [4, (random) => spoil(random, ['LREM', key(random), index(random), element(random)])],
    [3, (random) => spoil(random, ['LTRIM', key(random), index(random), index(random)])],
    [3, (random) => spoil(random, ['RPOPLPUSH', key(random), key(random)])],
    [4, (random) => spoil(random, ['LMOVE', key(random), key(random), side(random), side(random)])],
    [5, position],
    [4, multiPop],
    [2, (random) => ['OBJECT', 'ENCODING', key(random)]],
    [2, wrongTypeOrGone],
    [1, (random) => ['RPUSH', key(random), 'x'.repeat(random.pick([100, 1000, 4000, 9000]))]],
  ],
};
