/** Commands that wait, over five connections; a last one pushes. */
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';

const waiterCount = 5;

function listKey(random: Random): string {
  return random.pick(['l1', 'l2', 'l3']);
}

function zsetKey(random: Random): string {
  return random.pick(['z1', 'z2']);
}

function anyKey(random: Random): string {
  return random.oneIn(3) ? zsetKey(random) : listKey(random);
}

function side(random: Random): string {
  return random.pick(['LEFT', 'RIGHT']);
}

function timeout(random: Random): string {
  return random.oneIn(20) ? random.pick(['-1', 'x', '0.001', '1e-3']) : '0';
}

/**
 * A command that may wait, now and then with a wrong word; never with a timeout that would hold up the run.
 */
function waitUnit(random: Random): Unit {
  const words = wait(random);
  if (random.oneIn(30)) words[random.between(1, words.length - 1)] = random.pick(['x', '', '-1']);
  const timesOut = words.includes('0.001') || words.includes('1e-3');
  return { commands: [{ words, timesOut, connection: random.below(waiterCount) }] };
}

function wait(random: Random): string[] {
  switch (random.below(8)) {
    case 0:
    case 1:
      return [random.pick(['BLPOP', 'BRPOP']), ...random.many(1, 3, () => listKey(random)), timeout(random)];
    case 2:
      return ['BLMOVE', listKey(random), listKey(random), side(random), side(random), timeout(random)];
    case 3:
      return ['BRPOPLPUSH', listKey(random), listKey(random), timeout(random)];
    case 4: {
      const keys = random.many(1, 2, () => listKey(random));
      return [
        ...['BLMPOP', timeout(random), String(keys.length), ...keys, side(random)],
        ...random.maybe(() => ['COUNT', String(random.between(1, 3))]),
      ];
    }
    case 5:
    case 6:
      return [
        random.pick(['BZPOPMIN', 'BZPOPMAX']),
        ...random.many(1, 2, () => zsetKey(random)),
        timeout(random),
      ];
    default: {
      const keys = random.many(1, 2, () => zsetKey(random));
      return [
        ...['BZMPOP', timeout(random), String(keys.length), ...keys, random.pick(['MIN', 'MAX'])],
        ...random.maybe(() => ['COUNT', String(random.between(1, 3))]),
      ];
    }
  }
}

function change(random: Random): string[] {
  switch (random.below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return [
        random.pick(['RPUSH', 'LPUSH']),
        anyKey(random),
        ...random.many(1, 4, () => String(random.below(20))),
      ];
    case 4:
    case 5:
    case 6:
      return [
        ...['ZADD', anyKey(random)],
        ...random.many(1, 3, () => [String(random.below(5)), `m${random.below(8)}`]).flat(),
      ];
    case 7:
      return ['LMOVE', listKey(random), listKey(random), side(random), side(random)];
    case 8:
      return ['DEL', anyKey(random)];
    case 9:
      return ['RENAME', anyKey(random), anyKey(random)];
    case 10:
      return ['COPY', anyKey(random), anyKey(random), 'REPLACE'];
    case 11:
      return ['SET', anyKey(random), 'string'];
    case 12:
      return ['ZUNIONSTORE', zsetKey(random), '2', zsetKey(random), zsetKey(random)];
    case 13:
      return ['SORT', listKey(random), 'STORE', listKey(random)];
    case 14:
      return random.oneIn(4) ? ['FLUSHALL'] : ['LPOP', listKey(random)];
    default:
      return ['LRANGE', listKey(random), '0', '-1'];
  }
}

/** Changes in one transaction: who waits sees only their end. */
function transaction(random: Random): Unit {
  const connection = waiterCount;
  return {
    commands: [
      ['MULTI'],
      ...random.many(1, 4, () => (random.oneIn(6) ? wait(random) : change(random))),
      ['EXEC'],
    ].map((words) => ({ words, connection })),
  };
}

export const family: Family = {
  name: 'blocking',
  connections: waiterCount + 1,
  blocking: true,
  generators: [
    [10, waitUnit],
    [12, (random) => ({ commands: [{ words: change(random), connection: waiterCount }] })],
    [3, transaction],
  ],
};
