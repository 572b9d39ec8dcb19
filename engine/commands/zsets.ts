/**
 * Sorted sets: members and their scores. Ranges stand in zset-ranges.ts, combinations in zset-operations.ts,
 * pops in zset-pops.ts.
 */
import { type Command, type ReadContext, read, write } from '../command/command.js';
import { formatDouble, formatPackedScore, parseDouble } from '../numbers/double.js';
import { int64Max, int64Min } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { Double, Pairs, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import {
  findZset,
  type ScoreChange,
  tableAt,
  ZsetReader,
  zsetLength,
  zsetPut,
  zsetRank,
  zsetRemove,
  zsetScore,
} from '../values/zset.js';
import { ZsetBuilder } from '../values/zset-builder.js';
import { sampleReplies } from './sampling.js';
import { parseCursor, parseScanOptions, scanReply, scanSlots } from './scan.js';

const builder = new ZsetBuilder();
const reader = new ZsetReader();

// ---- adding ----

/** ZADD's conditions, applied to one pair after the other, and what came of it. */
export class Addition implements ScoreChange {
  ifAbsent = false;
  ifPresent = false;
  ifGreater = false;
  ifLess = false;
  increments = false;
  /** The pair's own score or increment. */
  given = 0;
  score = 0;
  added = 0;
  updated = 0;
  /** Whether the conditions let the last pair through, equal score or not. */
  passed = false;

  start(): this {
    this.ifAbsent = this.ifPresent = this.ifGreater = this.ifLess = this.increments = false;
    this.added = this.updated = 0;
    this.passed = false;
    return this;
  }

  decide(current: number | undefined): boolean {
    this.passed = false;
    if (current === undefined) {
      if (this.ifPresent) return false;
      this.score = this.given;
      this.passed = true;
      this.added++;
      return true;
    }
    if (this.ifAbsent) return false;
    let score = this.given;
    if (this.increments) {
      score += current;
      if (Number.isNaN(score)) throw errors.scoreNotANumber;
    }
    if ((this.ifGreater && score <= current) || (this.ifLess && score >= current)) return false;
    this.score = score;
    this.passed = true;
    if (score === current) return false;
    this.updated++;
    return true;
  }
}

const addition = new Addition();

/** Argument `index` as a score. Throws `ERR value is not a valid float`. */
function scoreArgument(request: Request, index: number): number {
  const integer = request.int64OrUndefined(index);
  if (integer !== undefined) return Number(integer);
  const value = parseDouble(request.numberText(index));
  if (value === undefined) throw errors.notFloat;
  return value;
}

/** Reads the options of ZADD; returns where the pairs begin. */
function parseAdditionOptions(request: Request): number {
  let i = 2;
  for (; i < request.count; i++) {
    // A score is seldom a word: look at its first byte before comparing whole words.
    const first = request.buffer[request.offsets[i << 1]];
    if (first < 0x41) break;
    if (request.is(i, 'NX')) addition.ifAbsent = true;
    else if (request.is(i, 'XX')) addition.ifPresent = true;
    else if (request.is(i, 'GT')) addition.ifGreater = true;
    else if (request.is(i, 'LT')) addition.ifLess = true;
    else if (request.is(i, 'INCR')) addition.increments = true;
    else if (request.is(i, 'CH')) countsChanges = true;
    else break;
  }
  return i;
}

/** ZADD's option CH. */
let countsChanges = false;

function zadd(request: Request, database: Database): Reply {
  addition.start();
  countsChanges = false;
  const first = parseAdditionOptions(request);
  const pairWords = request.count - first;
  if (pairWords === 0 || pairWords % 2 !== 0) throw errors.syntax;
  if (addition.ifAbsent && addition.ifPresent) throw errors.xxAndNx;
  if (
    (addition.ifAbsent && (addition.ifGreater || addition.ifLess)) ||
    (addition.ifGreater && addition.ifLess)
  )
    throw errors.gtLtAndNx;
  if (addition.increments && pairWords > 2) throw errors.incrementPairs;
  return add(request, database, first);
}

function zincrby(request: Request, database: Database): Reply {
  addition.start().increments = true;
  return add(request, database, 2);
}

/** Adds the pairs from argument `first` on. */
function add(request: Request, database: Database, first: number): Reply {
  const { count } = request;
  const scores: number[] = [];
  for (let i = first; i < count; i += 2) scores.push(scoreArgument(request, i));
  addScores(request, database, addition, scores, first + 1, 2);
  if (addition.increments) return addition.passed ? new Double(addition.score) : null;
  return countsChanges ? addition.added + addition.updated : addition.added;
}

/**
 * Gives scores to members of the set at argument 1, as `change` lets them: the first to argument `first`, the
 * next to one `stride` arguments behind. Throws WRONGTYPE.
 */
export function addScores(
  request: Request,
  database: Database,
  change: Addition,
  scores: readonly number[],
  first: number,
  stride: number,
): void {
  const key = request.view(1);
  const slot = findZset(database, key);
  if (slot !== ABSENT) {
    for (let i = 0; i < scores.length; i++) {
      change.given = scores[i];
      zsetPut(database, slot, request.view(first + i * stride), change);
    }
  } else if (!change.ifPresent) {
    builder.start();
    for (let i = 0; i < scores.length; i++) {
      change.given = scores[i];
      builder.put(request.view(first + i * stride), change, database.keyspace);
    }
    builder.create(database, key);
  }
  if (change.added + change.updated > 0)
    database.changed(key, change.increments ? keyEvents.zincr : keyEvents.zadd);
}

// ---- removing ----

function zrem(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = findZset(database, key);
  if (slot === ABSENT) return 0;
  let removed = 0;
  for (let i = 2; i < request.count; i++) {
    if (!zsetRemove(database, slot, request.view(i))) continue;
    removed++;
    if (zsetLength(database, slot) > 0) continue;
    database.delete(slot);
    break;
  }
  if (removed > 0) database.shrunk(key, keyEvents.zrem);
  return removed;
}

// ---- asking ----

function zcard(request: Request, database: ReadableDatabase): Reply {
  const slot = findZset(database, request.view(1));
  return slot === ABSENT ? 0 : zsetLength(database, slot);
}

const scoreReply = (score: number | undefined): Reply => (score === undefined ? null : new Double(score));

function zscore(request: Request, database: ReadableDatabase): Reply {
  const slot = findZset(database, request.view(1));
  return slot === ABSENT ? null : scoreReply(zsetScore(database, slot, request.view(2)));
}

function zmscore(request: Request, database: ReadableDatabase): Reply {
  const slot = findZset(database, request.view(1));
  const replies: Reply[] = [];
  for (let i = 2; i < request.count; i++)
    replies.push(slot === ABSENT ? null : scoreReply(zsetScore(database, slot, request.view(i))));
  return replies;
}

function zrank(request: Request, database: ReadableDatabase): Reply {
  const slot = findZset(database, request.view(1));
  const rank = slot === ABSENT ? -1 : zsetRank(database, slot, request.view(2));
  return rank < 0 ? null : rank;
}

function zrevrank(request: Request, database: ReadableDatabase): Reply {
  const slot = findZset(database, request.view(1));
  const rank = slot === ABSENT ? -1 : zsetRank(database, slot, request.view(2));
  return rank < 0 ? null : zsetLength(database, slot) - 1 - rank;
}

const emitMember = (into: Reply[]): void => {
  into.push(reader.memberReply());
};

const emitPair = (into: Reply[]): void => {
  into.push(reader.memberReply(), new Double(reader.score()));
};

function zrandmember(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  if (request.count === 2) {
    const slot = findZset(database, request.view(1));
    if (slot === ABSENT) return null;
    const index = context.random.below(zsetLength(database, slot));
    return reader.open(database, slot).seek(index).memberReply();
  }
  const count = request.int64(2);
  if (count === int64Min) throw errors.outOfLongRange;
  const withScores = request.count > 3;
  if (withScores && (request.count > 4 || !request.is(3, 'WITHSCORES'))) throw errors.syntax;
  if (withScores && (count > int64Max / 2n || count < -(int64Max / 2n))) throw errors.outOfRange;
  const slot = findZset(database, request.view(1));
  if (slot === ABSENT) return [];
  const size = zsetLength(database, slot);
  reader.open(database, slot);
  const emit = withScores ? emitPair : emitMember;
  const replies = sampleReplies(reader, size, Number(count), context.random, emit);
  return withScores ? new Pairs(replies) : replies;
}

function zscan(request: Request, database: ReadableDatabase): Reply {
  const cursor = parseCursor(request, 2);
  const slot = findZset(database, request.view(1));
  if (slot === ABSENT) return scanReply(0, []);
  const options = parseScanOptions(request, 3);
  const replies: Reply[] = [];
  reader.open(database, slot);
  const table = tableAt(database, slot);
  // Scores are texts here, in both protocols: those of the encoding.
  if (table === undefined) {
    while (reader.next()) {
      if (options.matches(reader.member()))
        replies.push(reader.memberReply(), formatPackedScore(reader.score()));
    }
    return scanReply(0, replies);
  }
  const next = scanSlots(table.members, cursor, options.count, (entry) => {
    if (options.matches(reader.seek(entry).member()))
      replies.push(reader.memberReply(), formatDouble(reader.score()));
  });
  return scanReply(next, replies);
}

/** The rows of one sorted set's members and scores. */
export const zsets: readonly Command[] = [
  write(
    {
      name: 'zadd',
      arity: -4,
      flags: ['denyoom', 'fast'],
      keys: '1 RW update',
      group: 'sorted-set',
      since: '1.2.0',
      history: [
        ['2.4.0', 'Several members.'],
        ['3.0.2', 'XX, NX, CH and INCR.'],
        ['6.2.0', 'GT and LT.'],
      ],
      complexity: 'O(M*log(N)), M members added, N in the sorted set',
      summary: 'Adds members with scores to a sorted set, or changes their scores.',
      syntax:
        'key [condition:<NX | XX>@3.0.2] [comparison:<GT | LT>@6.2.0] [change=CH@3.0.2] [increment=INCR@3.0.2] (score:double member) ...',
    },
    zadd,
  ),
  read(
    {
      name: 'zcard',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO',
      group: 'sorted-set',
      since: '1.2.0',
      complexity: 'O(1)',
      summary: 'Returns the number of members of a sorted set.',
      syntax: 'key',
    },
    zcard,
  ),
  write(
    {
      name: 'zincrby',
      arity: 4,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'sorted-set',
      since: '1.2.0',
      complexity: 'O(log(N)), N members',
      summary: 'Adds a number to the score of a member.',
      syntax: 'key increment:integer member',
    },
    zincrby,
  ),
  read(
    {
      name: 'zmscore',
      arity: -3,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'sorted-set',
      since: '6.2.0',
      complexity: 'O(N), N members asked for',
      summary: 'Returns the scores of several members.',
      syntax: 'key member ...',
    },
    zmscore,
  ),
  read(
    {
      name: 'zrandmember',
      arity: -2,
      keys: '1 RO access',
      group: 'sorted-set',
      since: '6.2.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(N), N members returned',
      summary: 'Returns random members.',
      syntax: 'key [options:(count:integer [WITHSCORES])]',
    },
    zrandmember,
  ),
  read(
    {
      name: 'zrank',
      arity: 3,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'sorted-set',
      since: '2.0.0',
      complexity: 'O(log(N)), N members',
      summary: 'Returns the rank of a member, lowest score first.',
      syntax: 'key member',
    },
    zrank,
  ),
  write(
    {
      name: 'zrem',
      arity: -3,
      flags: ['fast'],
      keys: '1 RW delete',
      group: 'sorted-set',
      since: '1.2.0',
      history: [['2.4.0', 'Several members.']],
      complexity: 'O(M*log(N)), M members removed, N in the sorted set',
      summary: 'Removes members from a sorted set.',
      syntax: 'key member ...',
    },
    zrem,
  ),
  read(
    {
      name: 'zrevrank',
      arity: 3,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'sorted-set',
      since: '2.0.0',
      complexity: 'O(log(N)), N members',
      summary: 'Returns the rank of a member, highest score first.',
      syntax: 'key member',
    },
    zrevrank,
  ),
  read(
    {
      name: 'zscan',
      arity: -3,
      keys: '1 RO access',
      group: 'sorted-set',
      since: '2.8.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(1) a call, O(N) for a whole walk of N members',
      summary: 'Walks the members and scores of a sorted set in steps.',
      syntax: 'key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]',
    },
    zscan,
  ),
  read(
    {
      name: 'zscore',
      arity: 3,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'sorted-set',
      since: '1.2.0',
      complexity: 'O(1)',
      summary: 'Returns the score of a member.',
      syntax: 'key member',
    },
    zscore,
  ),
];
