/** How the cost of an operation grows with what is stored: calls on the engine alone, at random places. */
import { Engine } from '../engine/index.js';
import { seededRandom } from './drive.js';
import { padded } from './pipelined-client.js';
import { short, table } from './statistics.js';

export interface Growth {
  readonly size: number;
  /** Calls a second, by operation. */
  readonly operations: Readonly<Record<string, number>>;
  /** The longest of the calls that filled the keyspace, in milliseconds. */
  readonly longestMs: number;
}

const CALLS = 300_000;

function timed(count: number, call: (number: number) => void): number {
  const began = performance.now();
  for (let i = 0; i < count; i++) call(i);
  return count / ((performance.now() - began) / 1000);
}

/** @param size keys of the keyspace, and members of one sorted set (at most `membersMax`) */
export function measureGrowth(size: number, membersMax: number): Growth {
  const engine = new Engine();
  const random = seededRandom(size);
  const value = 'v'.repeat(16);
  let longestMs = 0;
  let last = performance.now();
  const fill = timed(size, (i) => {
    engine.call('SET', `key:${padded(i)}`, value);
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  });
  const any = (): string => `key:${padded(Math.floor(random() * size))}`;
  const operations: Record<string, number> = {
    'SET new': fill,
    SET: timed(CALLS, () => engine.call('SET', any(), value)),
    GET: timed(CALLS, () => engine.call('GET', any())),
    EXPIRE: timed(CALLS, () => engine.call('EXPIRE', any(), 1000)),
    'DEL + SET': timed(CALLS / 2, () => {
      const key = any();
      engine.call('DEL', key);
      engine.call('SET', key, value);
    }),
  };
  if (size <= membersMax) {
    for (let i = 0; i < size; i++) engine.call('ZADD', 'zset', (i * 7919) % 1_000_003, `member:${padded(i)}`);
    const member = (): string => `member:${padded(Math.floor(random() * size))}`;
    operations.ZADD = timed(CALLS / 3, (i) => engine.call('ZADD', 'zset', (i * 31) % 1_000_003, member()));
    operations.ZRANK = timed(CALLS / 3, () => engine.call('ZRANK', 'zset', member()));
    operations['ZRANGE of 10'] = timed(CALLS / 6, () => {
      const from = Math.floor(random() * (size - 10));
      engine.call('ZRANGE', 'zset', from, from + 9);
    });
  }
  return { size, operations, longestMs };
}

export function growthTable(results: readonly Growth[]): string {
  const names = [...new Set(results.flatMap(({ operations }) => Object.keys(operations)))];
  return table([
    ['calls/s at', ...results.map(({ size }) => short(size))],
    ...names.map((name) => [
      name,
      ...results.map(({ operations }) => (operations[name] === undefined ? '-' : short(operations[name]))),
    ]),
    ['longest SET while filling, ms', ...results.map(({ longestMs }) => longestMs.toFixed(2))],
  ]);
}
