/** Pops from the ends of sorted sets. The forms that wait stand in blocking-zsets.ts. */
import { type Command, write } from '../command/command.js';
import { errors } from '../protocol/errors.js';
import { Double, NULL_ARRAY, Pairs, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';
import type { Database } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import { findZset, ZsetReader, zsetLength, zsetRemoveRanks } from '../values/zset.js';

const reader = new ZsetReader();

/**
 * Takes up to `count` members, at least one, from the lowest or highest end; members and scores in turn.
 * Notes the change.
 */
export function popPairs(
  database: Database,
  key: View,
  slot: Slot,
  fromHighest: boolean,
  count: number,
): Reply[] {
  const size = zsetLength(database, slot);
  const taken = Math.min(count, size);
  const replies: Reply[] = [];
  reader.openRank(database, slot, fromHighest ? size - 1 : 0);
  for (let left = taken; ; reader.step(fromHighest)) {
    replies.push(reader.memberKept(), new Double(reader.score()));
    if (--left === 0) break;
  }
  if (taken === size) database.delete(slot);
  else if (fromHighest) zsetRemoveRanks(database, slot, size - taken, size);
  else zsetRemoveRanks(database, slot, 0, taken);
  database.shrunk(key, fromHighest ? keyEvents.zpopmax : keyEvents.zpopmin);
  return replies;
}

/** {@link popPairs} as pairs of their own in both protocols: what ZMPOP and BZMPOP answer, behind the key. */
export function popMultiple(
  database: Database,
  key: View,
  slot: Slot,
  fromHighest: boolean,
  count: number,
): Reply {
  const popped = popPairs(database, key, slot, fromHighest, count);
  const pairs: Reply[] = [];
  for (let i = 0; i < popped.length; i += 2) pairs.push([popped[i], popped[i + 1]]);
  return [key.kept(), pairs];
}

/**
 * The first argument of `first` .. `last` that names a sorted set, or 0. Throws WRONGTYPE at the first key of
 * another type.
 */
export function firstZset(request: Request, database: Database, first: number, last: number): number {
  for (let i = first; i <= last; i++) if (findZset(database, request.view(i)) !== ABSENT) return i;
  return 0;
}

const pop =
  (fromHighest: boolean) =>
  (request: Request, database: Database): Reply => {
    if (request.count > 3) throw errors.syntax;
    let count = 1;
    if (request.count === 3) {
      const given = request.int64OrUndefined(2);
      if (given === undefined || given < 0) throw errors.mustBePositive;
      count = Number(given);
    }
    const key = request.view(1);
    const slot = findZset(database, key);
    if (slot === ABSENT || count === 0) return [];
    const popped = popPairs(database, key, slot, fromHighest, count);
    return request.count === 3 ? new Pairs(popped) : popped;
  };

/** What ZMPOP and BZMPOP ask for. */
export interface MultiplePop {
  readonly firstKey: number;
  readonly lastKey: number;
  readonly fromHighest: boolean;
  readonly count: number;
}

/** Reads numkeys at argument `countAt`, the keys, MIN or MAX, and COUNT. Throws. */
export function parseMultiplePop(request: Request, countAt: number): MultiplePop {
  const keyCount = request.int64OrUndefined(countAt);
  if (keyCount === undefined || keyCount < 1) throw errors.keyCountNotPositive;
  const where = countAt + 1 + Number(keyCount);
  if (where >= request.count) throw errors.syntax;
  const fromHighest = request.is(where, 'MAX');
  if (!fromHighest && !request.is(where, 'MIN')) throw errors.syntax;
  let count = 0;
  for (let i = where + 1; i < request.count; i += 2) {
    if (count !== 0 || i + 1 === request.count || !request.is(i, 'COUNT')) throw errors.syntax;
    const given = request.int64OrUndefined(i + 1);
    if (given === undefined || given < 1) throw errors.countNotPositive;
    count = Number(given);
  }
  return { firstKey: countAt + 1, lastKey: where - 1, fromHighest, count: count || 1 };
}

function zmpop(request: Request, database: Database): Reply {
  const { firstKey, lastKey, fromHighest, count } = parseMultiplePop(request, 1);
  const at = firstZset(request, database, firstKey, lastKey);
  if (at === 0) return NULL_ARRAY;
  const key = request.view(at);
  return popMultiple(database, key, database.find(key), fromHighest, count);
}

const zpopmin = pop(false);
const zpopmax = pop(true);

/** The rows of pops that do not wait. */
export const zsetPops: readonly Command[] = [
  write(
    {
      name: 'zmpop',
      arity: -4,
      keys: '#1 RW access delete',
      group: 'sorted-set',
      since: '7.0.0',
      complexity: 'O(K+M*log(N)), K keys, M members popped, N members in the sorted set',
      summary: 'Pops the lowest or highest members of the first sorted set that has any.',
      syntax: 'numkeys:integer key ... where:<MIN | MAX> [COUNT count:integer]',
    },
    zmpop,
  ),
  write(
    {
      name: 'zpopmax',
      arity: -2,
      flags: ['fast'],
      keys: '1 RW access delete',
      group: 'sorted-set',
      since: '5.0.0',
      complexity: 'O(M*log(N)), M members popped, N in the sorted set',
      summary: 'Pops the members with the highest scores.',
      syntax: 'key [count:integer]',
    },
    zpopmax,
  ),
  write(
    {
      name: 'zpopmin',
      arity: -2,
      flags: ['fast'],
      keys: '1 RW access delete',
      group: 'sorted-set',
      since: '5.0.0',
      complexity: 'O(M*log(N)), M members popped, N in the sorted set',
      summary: 'Pops the members with the lowest scores.',
      syntax: 'key [count:integer]',
    },
    zpopmin,
  ),
];
