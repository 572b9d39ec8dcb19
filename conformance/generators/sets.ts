/** Sets. Random members are checked by law: SPOP and SRANDMEMBER on two servers never agree. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import { count, index, key, member, shape, spoil, unordered, wrongTypeOrGone } from '../live/words.js';
import { itemsOf, type Reply, textOf } from '../reply.js';

function texts(reply: Reply): string[] {
  return 'items' in reply ? itemsOf(reply).map((item) => textOf(item)!) : [textOf(reply)!];
}

/** What must hold of SRANDMEMBER and SPOP, whatever they choose. */
function chooseUnit(random: Random): Unit {
  const name = random.pick(['SRANDMEMBER', 'SRANDMEMBER', 'SPOP']);
  const set = key(random);
  const words = [name, set, ...random.maybe(() => [String(random.between(name === 'SPOP' ? 0 : -8, 8))])];
  return {
    script: {
      name: words.join(' '),
      async run(call) {
        const before = await call(['SMEMBERS', set]);
        const reply = await call(words);
        if (before.type === 'error' || reply.type === 'error' || reply.type === 'null') return shape(reply);
        const members = new Set(texts(before));
        const chosen = texts(reply);
        const repeats = Number(words[2] ?? 1) < 0;
        const left = (await call(['SCARD', set])) as { text: string };
        // What is left differs between the servers from here on: start over with this key.
        if (name === 'SPOP') await call(['DEL', set]);
        return {
          shape: shape(reply),
          areMembers: chosen.every((one) => members.has(one)),
          areDistinct: repeats || new Set(chosen).size === chosen.length,
          left: left.text,
        };
      },
    },
  };
}

function multi(random: Random): string[] {
  return random.many(1, 3, () => key(random));
}

function interCard(random: Random): string[] {
  const keys = multi(random);
  return spoil(random, [
    ...['SINTERCARD', random.oneIn(15) ? index(random) : String(keys.length), ...keys],
    ...random.maybe(() => [random.case('LIMIT'), count(random)]),
  ]);
}

export const family: Family = {
  name: 'sets',
  settings: { 'set-max-intset-entries': '8' },
  generators: [
    [16, (random) => spoil(random, ['SADD', key(random), ...random.many(1, 5, () => member(random))])],
    [
      10,
      (random) =>
        spoil(random, ['SADD', key(random), ...random.many(1, 4, () => String(random.between(-4, 40000)))]),
    ],
    [6, (random) => spoil(random, ['SREM', key(random), ...random.many(1, 4, () => member(random))])],
    [4, (random) => spoil(random, ['SISMEMBER', key(random), member(random)])],
    [4, (random) => spoil(random, ['SMISMEMBER', key(random), ...random.many(1, 4, () => member(random))])],
    [3, (random) => spoil(random, ['SCARD', key(random)])],
    [5, (random) => command(spoil(random, ['SMEMBERS', key(random)]), { normalise: unordered })],
    [4, (random) => spoil(random, ['SMOVE', key(random), key(random), member(random)])],
    [
      8,
      (random) =>
        command(spoil(random, [random.pick(['SINTER', 'SUNION', 'SDIFF']), ...multi(random)]), {
          normalise: unordered,
        }),
    ],
    [
      8,
      (random) =>
        spoil(random, [
          random.pick(['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE']),
          key(random),
          ...multi(random),
        ]),
    ],
    [5, interCard],
    [1, chooseUnit],
    [1, (random) => command(['SPOP', key(random), '1000'], { normalise: unordered })],
    [1, (random) => spoil(random, ['SPOP', 'none', index(random)])],
    [1, (random) => spoil(random, ['SRANDMEMBER', 'none', index(random)])],
    [3, (random) => ['OBJECT', 'ENCODING', key(random)]],
    [2, wrongTypeOrGone],
  ],
};
