/**
 * The pops that wait. Each tries its keys as its plain form does; when all are empty it waits, and runs again
 * once a sorted set comes into being at one of them, then to be served from that key alone.
 */
import { type Command, type WriteContext, write } from '../command/command.js';
import { BLOCKED, NULL_ARRAY, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import { findZset } from '../values/zset.js';
import { distinctKeys, parseDeadline } from './waiting.js';
import { firstZset, parseMultiplePop, popMultiple, popPairs } from './zset-pops.js';

const blockingPop =
  (fromHighest: boolean) =>
  (request: Request, database: Database, context: WriteContext): Reply => {
    const last = request.count - 2;
    const ready = context.readyKey;
    if (ready !== undefined) {
      const slot = findZset(database, ready);
      return slot === ABSENT ? BLOCKED : [ready.kept(), ...popPairs(database, ready, slot, fromHighest, 1)];
    }
    const deadline = parseDeadline(request, last + 1, context.timeMs);
    const at = firstZset(request, database, 1, last);
    if (at !== 0) {
      const key = request.view(at);
      return [key.kept(), ...popPairs(database, key, database.find(key), fromHighest, 1)];
    }
    if (context.inTransaction) return NULL_ARRAY;
    return context.block(request, 'zset', distinctKeys(request, 1, last), deadline);
  };

function bzmpop(request: Request, database: Database, context: WriteContext): Reply {
  const { firstKey, lastKey, fromHighest, count } = parseMultiplePop(request, 2);
  const ready = context.readyKey;
  if (ready !== undefined) {
    const slot = findZset(database, ready);
    return slot === ABSENT ? BLOCKED : popMultiple(database, ready, slot, fromHighest, count);
  }
  const deadline = parseDeadline(request, 1, context.timeMs);
  const at = firstZset(request, database, firstKey, lastKey);
  if (at !== 0) {
    const key = request.view(at);
    return popMultiple(database, key, database.find(key), fromHighest, count);
  }
  if (context.inTransaction) return NULL_ARRAY;
  return context.block(request, 'zset', distinctKeys(request, firstKey, lastKey), deadline);
}

const bzpopmin = blockingPop(false);
const bzpopmax = blockingPop(true);

export const blockingZsets: readonly Command[] = [
  write(
    {
      name: 'bzmpop',
      arity: -5,
      flags: ['blocking'],
      keys: '#2 RW access delete',
      group: 'sorted-set',
      since: '7.0.0',
      complexity: 'O(K+M*log(N)), K keys, M members popped, N members in the sorted set',
      summary: 'Pops the lowest or highest members of the first sorted set that has any, waiting for one.',
      syntax: 'timeout:double numkeys:integer key ... where:<MIN | MAX> [COUNT count:integer]',
    },
    bzmpop,
  ),
  write(
    {
      name: 'bzpopmax',
      arity: -3,
      flags: ['noscript', 'blocking', 'fast'],
      keys: '1..-2 RW access delete',
      group: 'sorted-set',
      since: '5.0.0',
      history: [['6.0.0', 'Fractions of a second as timeout.']],
      complexity: 'O(log(N)), N members',
      summary: 'Pops the highest member of the first sorted set that has any, waiting for one.',
      syntax: 'key ... timeout:double',
    },
    bzpopmax,
  ),
  write(
    {
      name: 'bzpopmin',
      arity: -3,
      flags: ['noscript', 'blocking', 'fast'],
      keys: '1..-2 RW access delete',
      group: 'sorted-set',
      since: '5.0.0',
      history: [['6.0.0', 'Fractions of a second as timeout.']],
      complexity: 'O(log(N)), N members',
      summary: 'Pops the lowest member of the first sorted set that has any, waiting for one.',
      syntax: 'key ... timeout:double',
    },
    bzpopmin,
  ),
];
