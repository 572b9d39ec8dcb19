/** The data of the walk: keys of all types, writes that change them, and whether two servers agree. */
import { createHash } from 'node:crypto';
import type { RespClient } from '../../src/resp/client.js';

export type Words = readonly string[];

/** Where the writes leave their numbers, one behind the other: what was acknowledged must be here. */
export const LEDGER = 'ledger';

/** When keys with a deadline end: long behind the walk, and the same on all servers. */
const DEADLINE_MS = 4_000_000_000_000;

const text = (i: number): string => `value-${i}-${'x'.repeat(i % 90)}`;

/** Key `i` at the beginning. Their types, and their encodings, come in turn. */
export function keyAt(i: number): Words {
  switch (i % 12) {
    case 0:
      return ['SET', `string:${i}`, text(i)];
    case 1:
      return ['SET', `counter:${i}`, `${i}`];
    case 2:
      return ['SET', `deadline:${i}`, text(i), 'PXAT', `${DEADLINE_MS + i}`];
    case 3:
      return ['HSET', `hash:${i}`, 'name', text(i), 'count', `${i}`, 'empty', ''];
    case 4:
      return ['RPUSH', `list:${i}`, 'a', `${i}`, text(i)];
    case 5:
      return ['SADD', `intset:${i}`, `${i}`, `${i + 1}`, '-7'];
    case 6:
      return ['SADD', `set:${i}`, 'a', text(i), `member-${i}`];
    case 7:
      return ['ZADD', `zset:${i}`, '1.5', 'one', `${i}`, text(i), '-inf', 'least'];
    case 8:
      return ['XADD', `stream:${i}`, `${i + 1}-1`, 'field', text(i)];
    case 9:
      return ['PFADD', `hyperloglog:${i}`, `${i}`, text(i)];
    case 10:
      return ['SETBIT', `bitmap:${i}`, `${i % 4000}`, '1'];
    default:
      return ['GEOADD', `geo:${i}`, `${(i % 360) - 180}`, `${(i % 170) - 85}`, 'place'];
  }
}

/** Values that are not small: one of each type, with its groups where it can have them. */
export function* largeKeys(elements: number): Generator<Words> {
  for (let i = 0; i < elements; i++) {
    yield ['HSET', 'large:hash', `field-${i}`, text(i)];
    yield ['RPUSH', 'large:list', text(i)];
    yield ['SADD', 'large:set', `member-${i}`];
    yield ['ZADD', 'large:zset', `${i / 7}`, `member-${i}`];
    yield ['XADD', 'large:stream', `${i + 1}-0`, 'field', text(i)];
    if (i % 100 === 0) yield ['APPEND', 'large:string', text(i).repeat(50)];
  }
  yield ['XGROUP', 'CREATE', 'large:stream', 'group', '0'];
  yield ['XREADGROUP', 'GROUP', 'group', 'consumer', 'COUNT', '100', 'STREAMS', 'large:stream', '>'];
  yield [
    'FUNCTION',
    'LOAD',
    "#!lua name=walk\nredis.register_function('walk', function() return 'walked' end)",
  ];
}

/** Write number `i`: mostly to keys that are there; none may run twice or be left out without a trace. */
export function writeAt(i: number, keys: number): Words {
  // A key whose type is the one that this write is for.
  const at = (type: number): number => {
    const rounds = Math.max(1, Math.floor(keys / 12));
    return ((i * 7919) % rounds) * 12 + type;
  };
  switch (i % 16) {
    case 0:
      return ['RPUSH', LEDGER, `${i}`];
    case 1:
      return ['INCRBY', `counter:${at(1)}`, '3'];
    case 2:
      return ['HINCRBY', `hash:${at(3)}`, 'count', '1'];
    case 3:
      return ['RPUSH', `list:${at(4)}`, `${i}`];
    case 4:
      return ['SADD', `set:${at(6)}`, `${i}`];
    case 5:
      return ['ZINCRBY', `zset:${at(7)}`, '1', 'one'];
    case 6:
      return ['XADD', `stream:${at(8)}`, '*', 'write', `${i}`];
    case 7:
      return ['PFADD', `hyperloglog:${at(9)}`, `${i}`];
    case 8:
      return ['APPEND', `string:${at(0)}`, '.'];
    case 9:
      return ['SPOP', `set:${at(6)}`];
    case 10:
      return ['LPOP', `list:${at(4)}`];
    case 11:
      return ['SET', `new:${i}`, text(i), 'PXAT', `${DEADLINE_MS + i}`];
    case 12:
      return ['DEL', `bitmap:${at(10)}`];
    case 13:
      return ['EVAL', "return redis.call('INCR', KEYS[1])", '1', `scripted:${i % 100}`];
    case 14:
      return ['SADD', `intset:${at(5)}`, `${i}`];
    default:
      return ['PERSIST', `deadline:${at(2)}`];
  }
}

/** How many of `writes` writes have left their number in the {@link LEDGER}. */
export const ledgerLength = (writes: number): number => Math.ceil(writes / 16);

/** What a server holds of one type. */
export interface TypeDigest {
  keys: number;
  /** Of names, values and deadlines, in whatever order they come. */
  digest: bigint;
}

const SCAN_COUNT = '500';

/** All keys of a server, by type: how many, and a digest of them. */
export async function digestsByType(client: RespClient): Promise<Map<string, TypeDigest>> {
  const types = new Map<string, TypeDigest>();
  // A key may be scanned twice: Redis may still move its table.
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const [next, found] = (await client.call('SCAN', cursor, 'COUNT', SCAN_COUNT)) as [Buffer, Buffer[]];
    cursor = `${next}`;
    const keys = found.map((key) => key.toString('latin1')).filter((key) => !seen.has(key));
    for (const key of keys) seen.add(key);
    if (keys.length === 0) continue;
    const [values, ...facts] = await Promise.all([
      client.call('DEBUG', 'DIGEST-VALUE', ...keys),
      ...keys.flatMap((key) => [client.call('TYPE', key), client.call('PEXPIRETIME', key)]),
    ]);
    keys.forEach((key, i) => {
      const type = plain(facts[2 * i]);
      const hash = createHash('sha1').update(
        [key, plain((values as unknown[])[i]), plain(facts[2 * i + 1])].join('\n'),
      );
      const sum = types.get(type) ?? { keys: 0, digest: 0n };
      sum.keys++;
      sum.digest ^= hash.digest().readBigUInt64LE();
      types.set(type, sum);
    });
  } while (cursor !== '0');
  return new Map([...types].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function plain(reply: unknown): string {
  if (typeof reply === 'object' && reply !== null && 'text' in reply) return `${reply.text as string}`;
  return String(reply);
}
