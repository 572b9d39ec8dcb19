/**
 * XREAD and XREADGROUP that wait, over five connections; a last one adds, trims, deletes and takes groups
 * away.
 */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';

const waiterCount = 5;

const key = (random: Random): string => random.pick(['s', 's', 't']);
const group = (random: Random): string => random.pick(['g', 'g', 'h']);
const consumer = (random: Random): string => random.pick(['alice', 'bob']);
const entryId = (random: Random): string =>
  random.oneIn(3) ? `${random.below(30)}-${random.below(4)}` : `${random.below(30)}-*`;

function options(random: Random): string[] {
  return [
    ...random.maybe(() => ['COUNT', String(random.between(1, 3))], 3),
    ...['BLOCK', random.oneIn(12) ? '7' : '0'],
  ];
}

function wait(random: Random): string[] {
  const keys = random.oneIn(3) ? [key(random), key(random)] : [key(random)];
  if (random.oneIn(2)) {
    const ids = keys.map(() => (random.oneIn(3) ? entryId(random).replace('*', '0') : '$'));
    return ['XREAD', ...options(random), 'STREAMS', ...keys, ...ids];
  }
  return [
    ...['XREADGROUP', 'GROUP', group(random), consumer(random), ...options(random)],
    ...random.maybe(() => ['NOACK'], 5),
    ...['STREAMS', ...keys, ...keys.map(() => (random.oneIn(12) ? '0' : '>'))],
  ];
}

function waitUnit(random: Random): Unit {
  const words = wait(random);
  return { commands: [{ words, timesOut: words.includes('7'), connection: random.below(waiterCount) }] };
}

function change(random: Random): string[] {
  switch (random.below(20)) {
    case 0:
    case 1:
    case 2:
      return ['XGROUP', 'CREATE', key(random), group(random), random.pick(['0', '$']), 'MKSTREAM'];
    case 3:
      return ['XGROUP', 'DESTROY', key(random), group(random)];
    case 4:
      return ['XGROUP', 'SETID', key(random), group(random), random.pick(['0', '$'])];
    case 5:
      return random.pick([
        ['DEL', key(random)],
        ['SET', key(random), 'x'],
        ['RENAME', key(random), key(random)],
        ['COPY', key(random), key(random), 'REPLACE'],
      ]);
    case 6:
      return random.oneIn(6) ? ['FLUSHALL'] : ['XLEN', key(random)];
    case 7:
      return ['XACK', key(random), group(random), `${random.below(30)}-0`, `${random.below(30)}-1`];
    case 8:
      return ['XDEL', key(random), `${random.below(30)}-0`, `${random.below(30)}-1`];
    case 9:
      return ['XTRIM', key(random), 'MAXLEN', String(random.below(4))];
    default:
      return [
        ...['XADD', key(random)],
        ...random.maybe(() => ['MAXLEN', String(random.below(4))], 10),
        ...[entryId(random), 'f', String(random.below(100))],
      ];
  }
}

/** Changes in one transaction: who waits sees only their end. */
function transaction(random: Random): Unit {
  const connection = waiterCount;
  const middle = random.many(1, 4, () => (random.oneIn(6) ? wait(random) : change(random)));
  return { commands: [['MULTI'], ...middle, ['EXEC']].map((words) => ({ words, connection })) };
}

/**
 * Swaps databases. Of several keys that become ready at once, redis-server serves first whichever its hash
 * table (of a random seed) holds first: one key alone may come.
 */
function swap(): Unit {
  const connection = waiterCount;
  const words = [
    ['SELECT', '1'],
    ['DEL', 't'],
    ['SELECT', '0'],
    ['SWAPDB', '0', '1'],
  ];
  return { commands: words.map((line) => ({ words: line, connection })) };
}

export const family: Family = {
  name: 'stream-blocking',
  connections: waiterCount + 1,
  blocking: true,
  databases: [0, 1],
  generators: [
    [40, waitUnit],
    [56, (random) => ({ commands: [{ words: change(random), connection: waiterCount }] })],
    [12, transaction],
    [1, swap],
  ],
};
