/** DUMP of either server is restored by the other. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import { key, seconds, shape, spoil, tolerance } from '../live/words.js';
import { type Reply, textOf } from '../reply.js';
import { makeKey } from './keys.js';

/** A larger value, so that LZF strings, several quicklist nodes and big encodings occur. */
function large(random: Random): string[] {
  const name = key(random);
  const count = random.pick([10, 129, 513, 600]);
  const items = Array.from({ length: count }, () => random.below(1_000_000));
  switch (random.below(6)) {
    case 0:
      return [
        'SET',
        name,
        random.pick(['ab', 'x', 'abcdefgh', 'The quick brown fox ']).repeat(random.between(5, 300)),
      ];
    case 1:
      return ['RPUSH', name, ...items.map((item) => `item:${item}`)];
    case 2:
      return ['SADD', name, ...items.map((item) => (random.oneIn(2) ? String(item) : `m${item}`))];
    case 3:
      return ['HSET', name, ...items.flatMap((item) => [`f${item}`, `value of ${item}`])];
    case 4:
      return ['ZADD', name, ...items.flatMap((item) => [String(item / 7), `m${item}`])];
    default:
      return ['SADD', name, ...items.map((item) => String(item * 1_000_003))];
  }
}

/**
 * A stream whose groups have consumers and unacknowledged entries. Ids are given, so that they are equal on
 * both servers.
 */
function stream(random: Random): Unit {
  const name = key(random);
  const count = random.pick([1, 5, 99, 101, 250]);
  const ids = Array.from({ length: count }, (_, i) => `${i + 1}-${random.below(3)}`);
  const id = (): string => random.pick(ids);
  const fields = random.pick([
    ['f', 'v'],
    ['f', 'v', 'g', '7'],
    ['other', 'value'],
  ]);
  const words: string[][] = [
    ['DEL', name],
    ...ids.map((each) => ['XADD', name, each, ...(random.oneIn(5) ? ['odd', each] : fields)]),
    ['XGROUP', 'CREATE', name, 'g', random.pick(['0', '$', id()])],
    ['XREADGROUP', 'GROUP', 'g', 'alice', 'COUNT', '7', 'STREAMS', name, '>'],
    ['XREADGROUP', 'GROUP', 'g', 'bob', 'COUNT', '3', 'STREAMS', name, '>'],
    ['XGROUP', 'CREATECONSUMER', name, 'g', 'carol'],
    ['XACK', name, 'g', id(), id()],
    ['XDEL', name, id(), id()],
    random.oneIn(2) ? ['XTRIM', name, 'MAXLEN', String(random.below(count + 1))] : ['XLEN', name],
  ];
  return { commands: words.map((each) => ({ words: each })) };
}

/** Restores on each server what the other dumped; the state comparison that follows judges the contents. */
function exchange(random: Random): Unit {
  const name = key(random);
  return {
    crossScript: {
      name: `DUMP ${name} on one server, RESTORE on the other, both ways`,
      async run(reference, target) {
        const here = await reference(['DUMP', name]);
        const there = await target(['DUMP', name]);
        if (here.type !== there.type) return `DUMP gives ${there.type}, Redis gives ${here.type}`;
        if (here.type !== 'bulk') return undefined;
        const restored = async (
          call: (words: string[]) => Promise<Reply>,
          payload: Reply,
        ): Promise<string | undefined> => {
          const reply = await call(['RESTORE', name, '0', textOf(payload)!, 'REPLACE']);
          return reply.type === 'simple' ? undefined : textOf(reply);
        };
        const refused = await restored(target, here);
        if (refused !== undefined) return `Redis's payload is refused: ${refused}`;
        const refusedByRedis = await restored(reference, there);
        return refusedByRedis === undefined ? undefined : `Redis refuses the payload: ${refusedByRedis}`;
      },
    },
  };
}

/** One payload, damaged or not, is restored on both with the same options. */
function restoreSame(random: Random): Unit {
  const from = key(random);
  const to = key(random);
  const damage = random.oneIn(3) ? random.next() : undefined;
  const options = random
    .shuffle([
      random.maybe(() => ['REPLACE']),
      random.maybe(() => ['ABSTTL'], 4),
      random.maybe(() => ['IDLETIME', random.pick(['0', '100', '-1', 'x'])], 6),
      random.maybe(() => ['FREQ', random.pick(['0', '255', '256', '-1', 'x'])], 6),
    ])
    .flat();
  const ttl = options.includes('ABSTTL')
    ? random.pick(['33177117420000', '0', '1', 'x'])
    : random.pick(['0', '90000000', '-1', 'x']);
  return {
    crossScript: {
      name: `RESTORE ${to} ${ttl} <DUMP ${from}${damage === undefined ? '' : ', damaged'}> ${options.join(' ')}`,
      async run(reference, target) {
        const dump = await reference(['DUMP', from]);
        if (dump.type !== 'bulk') return undefined;
        let payload = dump.text;
        if (damage !== undefined) {
          const at = damage % payload.length;
          const byte = String.fromCharCode(payload.charCodeAt(at) ^ (1 << (damage >>> 29)));
          payload = payload.slice(0, at) + byte + payload.slice(at + 1);
        }
        const words = ['RESTORE', to, ttl, payload, ...options];
        const [here, there] = [await reference(words), await target(words)];
        const text = (reply: Reply): string => `${reply.type} ${textOf(reply)}`;
        return text(here) === text(there) ? undefined : `Redis: ${text(here)}; here: ${text(there)}`;
      },
    },
  };
}

/** Keys travel to the other server and back; what each MIGRATE answers must be the same both ways. */
function migrate(random: Random): Unit {
  const keys = random.many(1, 3, () => key(random));
  const several = keys.length > 1 || random.oneIn(3);
  return {
    crossScript: {
      name: `MIGRATE ${keys.join(' ')} there and back`,
      async run(reference, target, addresses) {
        const words = (to: { host: string; port: number }, options: string[]): string[] => [
          ...['MIGRATE', to.host, String(to.port), several ? '' : keys[0]!, '0', '5000', ...options],
          ...(several ? ['KEYS', ...keys] : []),
        ];
        const text = (reply: Reply): string => `${reply.type} ${textOf(reply)}`;
        // Both have the same keys: without REPLACE both must be refused, in the same words.
        const refused = [
          text(await reference(words(addresses.target, ['COPY']))),
          text(await target(words(addresses.reference, ['COPY']))),
        ];
        if (refused[0] !== refused[1]) return `without REPLACE: Redis: ${refused[0]}; here: ${refused[1]}`;
        const there = text(await reference(words(addresses.target, ['REPLACE'])));
        const left = text(await reference(['EXISTS', ...keys]));
        const back = text(await target(words(addresses.reference, ['REPLACE', 'COPY'])));
        if (left !== 'integer 0') return `Redis keeps keys which it migrated: ${there}, ${left}`;
        return there === back ? undefined : `Redis: ${there}; here: ${back}`;
      },
    },
  };
}

export const family: Family = {
  name: 'dump',
  generators: [
    [10, makeKey],
    [6, large],
    [4, stream],
    [8, exchange],
    [6, restoreSame],
    [2, migrate],
    [8, (random) => ['DEL', key(random)]],
    [1, (random) => ['EXPIRE', key(random), seconds(random)]],
    [1, (random) => command(['TTL', key(random)], { compare: tolerance(60) })],
    [1, (random) => command(spoil(random, ['DUMP', 'none']), { normalise: shape })],
    [1, (random) => spoil(random, ['RESTORE', key(random), '0', random.pick(['', 'x', 'abcdefghijkl'])])],
  ],
};
