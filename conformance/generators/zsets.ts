/**
 * Sorted sets. Scores are few, so that ties are common; thresholds are low, so that both encodings are met.
 */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { count, float, index, key, member, score, shape, spoil, wrongTypeOrGone } from '../live/words.js';
import { itemsOf, textOf } from '../reply.js';

/** A score bound of ZRANGEBYSCORE and its kin. */
export function scoreBound(random: Random): string {
  if (random.oneIn(4)) return random.pick(['-inf', '+inf', 'inf', '(inf', '(-inf']);
  if (random.oneIn(30)) return random.pick(['(', '', 'x', '[1', '((1', 'nan', '(nan']);
  return `${random.oneIn(3) ? '(' : ''}${score(random)}`;
}

/** A lexicographic bound of ZRANGEBYLEX and its kin. */
export function lexBound(random: Random): string {
  if (random.oneIn(3)) return random.pick(['-', '+']);
  if (random.oneIn(30)) return random.pick(['', 'm1', '(', '[', '-x', '+x']);
  return random.pick(['[', '(']) + member(random);
}

/**
 * Ranges by text are defined where all scores are equal only; elsewhere Redis's answer depends on the random
 * heights of its skip list. Hence keys of their own, whose scores are all 0.
 */
function lexKey(random: Random): string {
  return random.pick(['lex:1', 'lex:2', 'lex:3']);
}

function limit(random: Random): string[] {
  return random.maybe(() => [random.case('LIMIT'), index(random), index(random)], 3);
}

function zadd(random: Random): string[] {
  const options = [
    ...random.maybe(() => [random.case(random.pick(['NX', 'XX']))], 4),
    ...random.maybe(() => [random.case(random.pick(['GT', 'LT']))], 4),
    ...random.maybe(() => [random.case('CH')], 4),
    ...random.maybe(() => [random.case('INCR')], 6),
  ];
  const pairs = random.many(1, random.oneIn(3) ? 5 : 2, () => [score(random), member(random)]).flat();
  return spoil(random, ['ZADD', key(random), ...random.shuffle(options), ...pairs]);
}

/** Mostly not one of the keys that the other commands read: what is stored is often nothing. */
function destinationKey(random: Random): string {
  return random.oneIn(5) ? key(random) : random.pick(['key:1', 'stored']);
}

/** Arguments of ZRANGE from the key on; ZRANGESTORE has a destination before them. */
function zrange(random: Random, store = false): string[] {
  const by = random.pick(['', '', 'BYSCORE', 'BYLEX']);
  const from = by === 'BYLEX' ? lexKey(random) : key(random);
  const destination = store ? [by === 'BYLEX' ? lexKey(random) : destinationKey(random)] : [];
  const bound = (): string =>
    by === 'BYSCORE' ? scoreBound(random) : by === 'BYLEX' ? lexBound(random) : index(random);
  const options = [
    ...(by === '' ? [] : [[random.case(by)]]),
    random.maybe(() => [random.case('REV')], 3),
    by !== '' || random.oneIn(20) ? limit(random) : [],
  ];
  return [...destination, from, bound(), bound(), ...random.shuffle(options).flat()];
}

function aggregate(random: Random, keys: number, withWeights: boolean): string[] {
  if (!withWeights) return [];
  return [
    ...random.maybe(
      () => [
        'WEIGHTS',
        ...random.many(random.oneIn(20) ? 1 : keys, keys, () =>
          random.oneIn(4) ? float(random) : score(random),
        ),
      ],
      3,
    ),
    ...random.maybe(
      () => ['AGGREGATE', random.oneIn(20) ? 'AVG' : random.case(random.pick(['SUM', 'MIN', 'MAX']))],
      3,
    ),
  ];
}

function keysWithCount(random: Random): string[] {
  const keys = random.many(1, 3, () => key(random));
  return [random.oneIn(25) ? index(random) : String(keys.length), ...keys];
}

function combine(random: Random): string[] {
  const name = random.pick(['ZUNION', 'ZINTER', 'ZDIFF', 'ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE']);
  const keys = keysWithCount(random);
  const store = name.endsWith('STORE');
  return spoil(random, [
    ...[name, ...(store ? [destinationKey(random)] : []), ...keys],
    ...aggregate(random, keys.length - 1, !name.startsWith('ZDIFF') || random.oneIn(30)),
    ...(store && !random.oneIn(30) ? [] : random.maybe(() => [random.case('WITHSCORES')])),
  ]);
}

/** What must hold of ZRANDMEMBER, whatever it chooses. */
function randomMember(random: Random): Unit {
  const zset = key(random);
  const count = random.maybe(() => [String(random.between(-8, 8))]);
  const words = [
    'ZRANDMEMBER',
    zset,
    ...count,
    ...(count.length > 0 ? random.maybe(() => ['WITHSCORES']) : []),
  ];
  return {
    script: {
      name: words.join(' '),
      async run(call) {
        const before = await call(['ZRANGE', zset, '0', '-1']);
        const reply = await call(words);
        if (before.type === 'error' || reply.type === 'error' || reply.type === 'null') return shape(reply);
        const members = new Set(itemsOf(before).map(textOf));
        const items = 'items' in reply ? itemsOf(reply) : [reply];
        const nested = items.some((item) => 'items' in item);
        const chosen = nested
          ? items.map((item) => textOf(itemsOf(item)[0]!))
          : items.map(textOf).filter((_, at) => words.length < 4 || at % 2 === 0);
        const repeats = Number(words[2] ?? 1) < 0;
        return {
          shape: shape(reply),
          areMembers: chosen.every((one) => members.has(one)),
          areDistinct: repeats || new Set(chosen).size === chosen.length,
        };
      },
    },
  };
}

export const family: Family = {
  name: 'zsets',
  settings: { 'zset-max-listpack-entries': '7' },
  generators: [
    [40, zadd],
    [8, (random) => ['ZADD', lexKey(random), ...random.many(1, 4, () => ['0', member(random)]).flat()]],
    [1, (random) => ['DEL', lexKey(random)]],
    [5, (random) => spoil(random, ['ZINCRBY', key(random), score(random), member(random)])],
    [6, (random) => spoil(random, ['ZREM', key(random), ...random.many(1, 3, () => member(random))])],
    [3, (random) => spoil(random, ['ZCARD', key(random)])],
    [4, (random) => spoil(random, ['ZSCORE', key(random), member(random)])],
    [3, (random) => spoil(random, ['ZMSCORE', key(random), ...random.many(1, 4, () => member(random))])],
    [5, (random) => spoil(random, [random.pick(['ZRANK', 'ZREVRANK']), key(random), member(random)])],
    [4, (random) => spoil(random, ['ZCOUNT', key(random), scoreBound(random), scoreBound(random)])],
    [4, (random) => spoil(random, ['ZLEXCOUNT', lexKey(random), lexBound(random), lexBound(random)])],
    [
      12,
      (random) =>
        spoil(random, ['ZRANGE', ...zrange(random), ...random.maybe(() => [random.case('WITHSCORES')])]),
    ],
    [6, (random) => spoil(random, ['ZRANGESTORE', ...zrange(random, true)])],
    [
      3,
      (random) =>
        spoil(random, [
          ...['ZREVRANGE', key(random), index(random), index(random)],
          ...random.maybe(() => ['WITHSCORES']),
        ]),
    ],
    [
      6,
      (random) =>
        spoil(random, [
          ...[
            random.pick(['ZRANGEBYSCORE', 'ZREVRANGEBYSCORE']),
            key(random),
            scoreBound(random),
            scoreBound(random),
          ],
          ...random.shuffle([random.maybe(() => ['WITHSCORES']), limit(random)]).flat(),
        ]),
    ],
    [
      5,
      (random) =>
        spoil(random, [
          ...[
            random.pick(['ZRANGEBYLEX', 'ZREVRANGEBYLEX']),
            lexKey(random),
            lexBound(random),
            lexBound(random),
          ],
          ...limit(random),
        ]),
    ],
    [2, (random) => spoil(random, ['ZREMRANGEBYSCORE', key(random), scoreBound(random), scoreBound(random)])],
    [2, (random) => spoil(random, ['ZREMRANGEBYRANK', key(random), index(random), index(random)])],
    [2, (random) => spoil(random, ['ZREMRANGEBYLEX', lexKey(random), lexBound(random), lexBound(random)])],
    [10, combine],
    [
      3,
      (random) =>
        spoil(random, [
          'ZINTERCARD',
          ...keysWithCount(random),
          ...random.maybe(() => ['LIMIT', count(random)]),
        ]),
    ],
    [
      4,
      (random) =>
        spoil(random, [
          random.pick(['ZPOPMIN', 'ZPOPMAX']),
          key(random),
          ...random.maybe(() => [count(random)]),
        ]),
    ],
    [
      3,
      (random) =>
        spoil(random, [
          ...['ZMPOP', ...keysWithCount(random), random.case(random.pick(['MIN', 'MAX']))],
          ...random.maybe(() => ['COUNT', count(random)]),
        ]),
    ],
    [1, randomMember],
    [
      1,
      (random) =>
        spoil(random, ['ZRANDMEMBER', 'none', index(random), ...random.maybe(() => ['WITHSCORES'])]),
    ],
    [3, (random) => ['OBJECT', 'ENCODING', key(random)]],
    [2, (random) => ['SADD', key(random), ...random.many(1, 3, () => member(random))]],
    [2, wrongTypeOrGone],
  ],
};
