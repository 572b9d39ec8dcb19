/** MULTI, EXEC, DISCARD, WATCH over three connections. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { index, member, score, spoil, value } from '../live/words.js';

function key(random: Random): string {
  return random.pick(['a', 'b', 'c', 'd']);
}

function step(random: Random): string[] {
  switch (random.below(24)) {
    case 0:
    case 1:
    case 2:
      return spoil(random, ['MULTI']);
    case 3:
    case 4:
    case 5:
    case 6:
      return spoil(random, ['EXEC']);
    case 7:
      return ['DISCARD'];
    case 8:
    case 9:
    case 10:
      return spoil(random, ['WATCH', ...random.many(1, 2, () => key(random))]);
    case 11:
      return ['UNWATCH'];
    case 12:
      return ['NOSUCHCOMMAND', 'x'];
    case 13:
      return spoil(random, ['RPUSH', key(random), value(random)]);
    case 14:
      return spoil(random, ['LPOP', key(random)]);
    case 15:
      return spoil(random, ['INCR', key(random)]);
    case 16:
      return ['DEL', key(random)];
    case 17:
      return random.pick([
        ['EXPIRE', key(random), '10000'],
        ['EXPIRE', key(random), '-1'],
        ['PERSIST', key(random)],
        ['RENAME', key(random), key(random)],
        ['COPY', key(random), key(random), 'REPLACE'],
        ['BLPOP', key(random), '0.001'],
        ['ZADD', key(random), score(random), member(random)],
        ['SADD', key(random), member(random)],
        ['HSET', key(random), member(random), value(random)],
        ['SETRANGE', key(random), '0', ''],
        ['LREM', key(random), '0', 'nothing'],
        ['SREM', key(random), 'nothing'],
        ['SELECT', random.pick(['0', '1'])],
        ['APPEND', key(random), ''],
      ]);
    case 18:
      return random.oneIn(10)
        ? random.pick([['FLUSHALL'], ['FLUSHDB'], ['SWAPDB', '0', '1'], ['RESET'], ['SELECT', '0']])
        : ['TOUCH', key(random)];
    case 19:
      return ['GETRANGE', key(random), index(random), index(random)];
    default:
      return spoil(random, ['SET', key(random), value(random)]);
  }
}

/** Commands of one connection in a row, so that transactions come to their end now and then. */
function burst(random: Random): Unit {
  const connection = random.below(3);
  return { commands: random.many(1, 4, () => ({ words: step(random), connection })) };
}

/** A whole optimistic transaction, with another connection in between. */
function watched(random: Random): Unit {
  const connection = random.below(3);
  const other = (connection + 1) % 3;
  const mine = (words: string[]): { words: string[]; connection: number } => ({ words, connection });
  return {
    commands: [
      mine(['WATCH', key(random)]),
      mine(['GET', key(random)]),
      ...random.maybe(() => ['x']).map(() => ({ words: step(random), connection: other })),
      mine(['MULTI']),
      ...random.many(0, 3, () => mine(step(random))),
      ...random.maybe(() => ['x']).map(() => ({ words: step(random), connection: other })),
      mine(['EXEC']),
    ],
  };
}

export const family: Family = {
  name: 'transactions',
  connections: 3,
  databases: [0, 1],
  generators: [
    [3, burst],
    [2, watched],
  ],
};
