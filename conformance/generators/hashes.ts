/** Hashes. Thresholds are low, so that both encodings are met. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import {
  float,
  integer,
  key,
  member,
  shape,
  spoil,
  unordered,
  unorderedPairs,
  value,
  wrongTypeOrGone,
} from '../live/words.js';
import { itemsOf, textOf } from '../reply.js';

/** What must hold of HRANDFIELD, whatever it chooses. */
function randomField(random: Random): Unit {
  const hash = key(random);
  const count = random.maybe(() => [String(random.between(-8, 8))]);
  const words = [
    'HRANDFIELD',
    hash,
    ...count,
    ...(count.length > 0 ? random.maybe(() => ['WITHVALUES']) : []),
  ];
  return {
    script: {
      name: words.join(' '),
      async run(call) {
        const before = await call(['HGETALL', hash]);
        const reply = await call(words);
        if (before.type === 'error' || reply.type === 'error' || reply.type === 'null') return shape(reply);
        const flat = (items: ReturnType<typeof itemsOf>): string[] =>
          items.flatMap((item) => ('items' in item ? flat(itemsOf(item)) : [textOf(item)!]));
        const stored = flat(itemsOf(before));
        const pairs = new Set(stored.flatMap((text, at) => (at % 2 ? [] : [`${text}\n${stored[at + 1]}`])));
        const fields = new Set(stored.filter((_, at) => at % 2 === 0));
        const chosen = 'items' in reply ? flat(itemsOf(reply)) : [textOf(reply)!];
        const chosenPairs = chosen.flatMap((text, at) => (at % 2 ? [] : [`${text}\n${chosen[at + 1]}`]));
        const withValues = words.length === 4;
        const repeats = Number(words[2] ?? 1) < 0;
        const units = withValues ? chosenPairs : chosen;
        return {
          shape: shape(reply),
          areFields: units.every((one) => (withValues ? pairs : fields).has(one)),
          areDistinct: repeats || new Set(units).size === units.length,
        };
      },
    },
  };
}

function fieldsAndValues(random: Random): string[] {
  return random.many(1, 3, () => [member(random), value(random)]).flat();
}

export const family: Family = {
  name: 'hashes',
  settings: { 'hash-max-listpack-entries': '7' },
  generators: [
    [
      16,
      (random) =>
        spoil(random, [random.pick(['HSET', 'HSET', 'HMSET']), key(random), ...fieldsAndValues(random)]),
    ],
    [4, (random) => spoil(random, ['HSETNX', key(random), member(random), value(random)])],
    [6, (random) => spoil(random, ['HGET', key(random), member(random)])],
    [4, (random) => spoil(random, ['HMGET', key(random), ...random.many(1, 4, () => member(random))])],
    [5, (random) => command(spoil(random, ['HGETALL', key(random)]), { normalise: unorderedPairs })],
    [
      4,
      (random) =>
        command(spoil(random, [random.pick(['HKEYS', 'HVALS']), key(random)]), { normalise: unordered }),
    ],
    [3, (random) => spoil(random, ['HLEN', key(random)])],
    [3, (random) => spoil(random, ['HSTRLEN', key(random), member(random)])],
    [3, (random) => spoil(random, ['HEXISTS', key(random), member(random)])],
    [8, (random) => spoil(random, ['HDEL', key(random), ...random.many(1, 3, () => member(random))])],
    [6, (random) => spoil(random, ['HINCRBY', key(random), member(random), integer(random)])],
    [6, (random) => spoil(random, ['HINCRBYFLOAT', key(random), member(random), float(random)])],
    [1, randomField],
    [
      1,
      (random) =>
        spoil(random, ['HRANDFIELD', 'none', integer(random), ...random.maybe(() => ['WITHVALUES'])]),
    ],
    [3, (random) => ['OBJECT', 'ENCODING', key(random)]],
    [2, wrongTypeOrGone],
  ],
};
