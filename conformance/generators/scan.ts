/**
 * SCAN, SSCAN, HSCAN, ZSCAN: cursors differ, the law is the same: an iteration returns everything that stays,
 * and nothing that is not there.
 */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { pattern, spoil } from '../live/words.js';
import { itemsOf, type Reply, textOf } from '../reply.js';

/** The elements that a whole iteration returns, without repeats, sorted; an error's text if one is met. */
async function iterate(
  call: (words: string[]) => Promise<Reply>,
  words: (cursor: string) => string[],
  pairs: boolean,
  between: () => string[][] = () => [],
): Promise<string[] | string> {
  const seen = new Set<string>();
  let cursor = '0';
  for (let round = 0; round < 10_000; round++) {
    const reply = await call(words(cursor));
    if (reply.type === 'error') return reply.text;
    const [next, elements] = itemsOf(reply);
    const texts = itemsOf(elements!).map((item) => textOf(item)!);
    for (let at = 0; at < texts.length; at += pairs ? 2 : 1) {
      seen.add(pairs ? `${texts[at]}\n${texts[at + 1]}` : texts[at]!);
    }
    cursor = textOf(next!)!;
    if (cursor === '0') return [...seen].sort();
    for (const change of between()) await call(change);
  }
  return 'the iteration does not end';
}

function fill(random: Random): string[] {
  const members = random.many(1, random.oneIn(4) ? 200 : 8, () => String(random.below(500)));
  switch (random.below(5)) {
    case 0:
      return ['SADD', `s${random.below(3)}`, ...members];
    case 1:
      return ['HSET', `h${random.below(3)}`, ...members.flatMap((one) => [one, `v${one}`])];
    case 2:
      return ['ZADD', `z${random.below(3)}`, ...members.flatMap((one) => [one, `m${one}`])];
    case 3:
      return ['SADD', `s${random.below(3)}`, 'text'];
    default:
      return ['MSET', ...members.flatMap((one) => [`k${one}`, one])];
  }
}

function scanOptions(random: Random): string[] {
  return random
    .shuffle([
      random.maybe(() => ['MATCH', random.oneIn(2) ? `*${random.below(10)}*` : pattern(random)], 3),
      random.maybe(() => ['COUNT', random.oneIn(30) ? '0' : String(random.pick([1, 2, 10, 100, 1000]))], 2),
    ])
    .flat();
}

function scanUnit(random: Random): Unit {
  const name = random.pick(['SCAN', 'SSCAN', 'HSCAN', 'ZSCAN']);
  const key = `${name[0]!.toLowerCase()}${random.below(3)}`;
  const options = scanOptions(random);
  const type =
    name === 'SCAN'
      ? random.maybe(() => ['TYPE', random.pick(['string', 'set', 'hash', 'zset', 'list'])], 3)
      : [];
  const words = (cursor: string): string[] => [
    name,
    ...(name === 'SCAN' ? [] : [key]),
    cursor,
    ...options,
    ...type,
  ];
  return {
    script: {
      name: words('0').join(' '),
      run: (call) => iterate(call, words, name === 'HSCAN' || name === 'ZSCAN'),
    },
  };
}

/** What stays throughout is returned, though other elements come and go while the iteration runs. */
function scanUnderChange(random: Random): Unit {
  const seed = random.next();
  const name = random.pick(['SCAN', 'SSCAN']);
  return {
    script: {
      name: `${name} while others come and go (${seed})`,
      async run(call) {
        const stay = Array.from({ length: 100 }, (_, at) => `stay:${at}`);
        const keyspace = name === 'SCAN';
        if (keyspace) await call(['MSET', ...stay.flatMap((one) => [one, 'x'])]);
        else await call(['SADD', 'changing', ...stay]);
        let round = seed % 1000;
        const seen = await iterate(
          call,
          (cursor) =>
            keyspace ? ['SCAN', cursor, 'MATCH', 'stay:*'] : ['SSCAN', 'changing', cursor, 'MATCH', 'stay:*'],
          false,
          () => {
            round++;
            const names = Array.from({ length: 40 }, (_, at) => `go:${(round * 7 + at * 3) % 300}`);
            if (keyspace)
              return [round % 2 ? ['MSET', ...names.flatMap((one) => [one, 'x'])] : ['DEL', ...names]];
            return [round % 2 ? ['SADD', 'changing', ...names] : ['SREM', 'changing', ...names]];
          },
        );
        const missing = stay.filter((one) => !seen.includes(one));
        if (keyspace) await call(['FLUSHDB']);
        else await call(['DEL', 'changing']);
        return { missing };
      },
    },
  };
}

export const family: Family = {
  name: 'scan',
  generators: [
    [60, fill],
    [
      10,
      (random) =>
        spoil(random, [
          random.pick(['SREM', 'HDEL', 'ZREM']),
          random.pick(['s0', 'h0', 'z0']),
          String(random.below(500)),
        ]),
    ],
    [4, (random) => ['DEL', random.pick(['s0', 's1', 'h0', 'h1', 'z0', 'z1'])]],
    [20, scanUnit],
    [1, scanUnderChange],
    [
      4,
      (random) => [
        random.pick(['SSCAN', 'HSCAN', 'ZSCAN']),
        random.pick(['none', 'k1', 's0']),
        random.pick(['x', '-', '0x1', '99999999999999999999']),
      ],
    ],
  ],
};
