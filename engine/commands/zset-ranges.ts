/** Ranges of a sorted set: by rank, by score, by member. */
import { type Command, read, write } from '../command/command.js';
import { parseDoubleLoosely } from '../numbers/double.js';
import { errors } from '../protocol/errors.js';
import { Double, Pairs, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { type KeyEvent, keyEvents } from '../storage/key-events.js';
import { findZset, type Ranks, ZsetReader, zsetLength, zsetRanks, zsetRemoveRanks } from '../values/zset.js';
import { PlainScore, ZsetBuilder } from '../values/zset-builder.js';
import { type ElementRange, LexBound, LexRange, ScoreRange } from '../values/zset-range.js';

const builder = new ZsetBuilder();
const reader = new ZsetReader();
const plainScore = new PlainScore();

/** What positions a range is given by. */
const By = { unsaid: 0, rank: 1, score: 2, member: 3 } as const;
type By = (typeof By)[keyof typeof By];

// ---- bounds ----

/** Arguments `min` and `max` as a range of scores. Throws `ERR min or max is not a float`. */
function parseScoreRange(request: Request, min: number, max: number): ScoreRange {
  const [low, lowExclusive] = parseScoreBound(request.numberText(min));
  const [high, highExclusive] = parseScoreBound(request.numberText(max));
  return new ScoreRange(low, lowExclusive, high, highExclusive);
}

function parseScoreBound(text: string): [score: number, exclusive: boolean] {
  const exclusive = text.charCodeAt(0) === 0x28;
  const score = parseDoubleLoosely(text, exclusive ? 1 : 0);
  if (Number.isNaN(score)) throw errors.boundNotFloat;
  return [score, exclusive];
}

/** Arguments `min` and `max` as a range of members. Throws `ERR min or max not valid string range item`. */
function parseLexRange(request: Request, min: number, max: number): LexRange {
  return new LexRange(parseLexBound(request, min), parseLexBound(request, max));
}

function parseLexBound(request: Request, index: number): LexBound {
  const view = request.view(index);
  const first = view.length === 0 ? 0 : view.byteAt(0);
  switch (first) {
    case 0x2d: // -
    case 0x2b: // +
      // Redis reads a C string here: what follows a NUL byte does not count.
      if (view.length > 1 && view.byteAt(1) !== 0) break;
      return new LexBound(first === 0x2d ? -1 : 1, true, view);
    case 0x28: // (
    case 0x5b: // [
      view.start++;
      return new LexBound(0, first === 0x28, view);
  }
  throw errors.boundNotString;
}

const rankRange: Ranks = { from: 0, to: 0 };

/** The ranks that `start` and `stop` name, both inclusive and counted from the end when negative. */
function normalizeRanks(start: number, stop: number, size: number): Ranks {
  const from = start < 0 ? Math.max(0, start + size) : start;
  const last = stop < 0 ? stop + size : Math.min(stop, size - 1);
  rankRange.from = Math.min(from, size);
  rankRange.to = Math.max(rankRange.from, last + 1);
  return rankRange;
}

// ---- ZRANGE and its forms ----

/** What a form of ZRANGE says, in its name or its options. */
class RangeQuery {
  by: By = By.unsaid;
  isReverse = false;
  withScores = false;
  offset = 0;
  /** -1: all. */
  limit = -1;
  start = 0;
  stop = 0;
  range: ElementRange | undefined;

  /**
   * Reads the arguments behind the key, at `key`; `by` and `direction` are what the command's name fixes.
   * Throws.
   */
  parse(
    request: Request,
    key: number,
    by: By,
    direction: 'forward' | 'reverse' | 'unsaid',
    stores: boolean,
  ): this {
    this.by = by;
    this.isReverse = direction === 'reverse';
    this.withScores = false;
    this.offset = 0;
    this.limit = -1;
    for (let i = key + 3; i < request.count; i++) {
      if (!stores && request.is(i, 'WITHSCORES')) this.withScores = true;
      else if (i + 2 < request.count && request.is(i, 'LIMIT')) {
        this.offset = request.integer(i + 1);
        this.limit = request.integer(i + 2);
        i += 2;
      } else if (direction === 'unsaid' && !this.isReverse && request.is(i, 'REV')) this.isReverse = true;
      else if (this.by === By.unsaid && request.is(i, 'BYLEX')) this.by = By.member;
      else if (this.by === By.unsaid && request.is(i, 'BYSCORE')) this.by = By.score;
      else throw errors.syntax;
    }
    if (this.by === By.unsaid) this.by = By.rank;
    if (this.limit !== -1 && this.by === By.rank) throw errors.limitByRank;
    if (this.withScores && this.by === By.member) throw errors.scoresByLex;
    const min = this.isReverse ? key + 2 : key + 1;
    const max = this.isReverse ? key + 1 : key + 2;
    this.range = undefined;
    if (this.by === By.score) this.range = parseScoreRange(request, min, max);
    else if (this.by === By.member) this.range = parseLexRange(request, min, max);
    else {
      this.start = request.integer(key + 1);
      this.stop = request.integer(key + 2);
    }
    return this;
  }

  /** The first rank of the answer, and how many there are (in the direction asked for). */
  first = 0;
  count = 0;

  /** Finds {@link first} and {@link count}. */
  locate(database: ReadableDatabase, slot: Slot): void {
    if (this.range === undefined) {
      const size = zsetLength(database, slot);
      const { from, to } = normalizeRanks(this.start, this.stop, size);
      this.first = this.isReverse ? size - 1 - from : from;
      this.count = to - from;
      return;
    }
    const { from, to } = zsetRanks(database, slot, this.range, this.isReverse);
    this.count = 0;
    // A negative offset skips everything, a negative limit none.
    if (this.offset < 0 || this.offset >= to - from) return;
    this.first = this.isReverse ? to - 1 - this.offset : from + this.offset;
    const left = to - from - this.offset;
    this.count = this.limit < 0 ? left : Math.min(left, this.limit);
  }
}

const query = new RangeQuery();

const rangeReply =
  (by: By, direction: 'forward' | 'reverse' | 'unsaid') =>
  (request: Request, database: ReadableDatabase): Reply => {
    query.parse(request, 1, by, direction, false);
    const slot = findZset(database, request.view(1));
    if (slot === ABSENT) return [];
    query.locate(database, slot);
    const replies: Reply[] = [];
    if (query.count === 0) return replies;
    const { withScores, isReverse } = query;
    reader.openRank(database, slot, query.first);
    for (let left = query.count; ; ) {
      replies.push(reader.memberReply());
      if (withScores) replies.push(new Double(reader.score()));
      if (--left === 0) break;
      reader.step(isReverse);
    }
    return withScores ? new Pairs(replies) : replies;
  };

function zrangestore(request: Request, database: Database): Reply {
  query.parse(request, 2, By.unsaid, 'unsaid', true);
  const { keyspace } = database;
  const slot = findZset(database, request.view(2));
  builder.start();
  if (slot !== ABSENT) {
    query.locate(database, slot);
    // Redis knows the number beforehand only by rank, and then skips the listpack (in which -0 would become
    // 0).
    if (query.by === By.rank && query.count > keyspace.settings['zset-max-listpack-entries'])
      builder.startTable(keyspace);
    if (query.count > 0) reader.openRank(database, slot, query.first);
    for (let left = query.count; left > 0; left--) {
      builder.put(reader.member(), plainScore.of(reader.score()), keyspace);
      if (left > 1) reader.step(query.isReverse);
    }
  }
  return builder.store(database, request.view(1), keyEvents.zrangestore);
}

// ---- counting ----

const count =
  (parse: typeof parseScoreRange | typeof parseLexRange) =>
  (request: Request, database: ReadableDatabase): Reply => {
    const range = parse(request, 2, 3);
    const slot = findZset(database, request.view(1));
    if (slot === ABSENT) return 0;
    const { from, to } = zsetRanks(database, slot, range);
    return Math.max(0, to - from);
  };

// ---- removing ----

function removeRanks(
  database: Database,
  request: Request,
  slot: Slot,
  { from, to }: Ranks,
  event: KeyEvent,
): Reply {
  if (from >= to) return 0;
  if (to - from === zsetLength(database, slot)) database.delete(slot);
  else zsetRemoveRanks(database, slot, from, to);
  database.shrunk(request.view(1), event);
  return to - from;
}

const removeRange =
  (parse: typeof parseScoreRange | typeof parseLexRange, event: KeyEvent) =>
  (request: Request, database: Database): Reply => {
    const range = parse(request, 2, 3);
    const slot = findZset(database, request.view(1));
    return slot === ABSENT
      ? 0
      : removeRanks(database, request, slot, zsetRanks(database, slot, range), event);
  };

function zremrangebyrank(request: Request, database: Database): Reply {
  const start = request.integer(2);
  const stop = request.integer(3);
  const slot = findZset(database, request.view(1));
  if (slot === ABSENT) return 0;
  const ranks = normalizeRanks(start, stop, zsetLength(database, slot));
  return removeRanks(database, request, slot, ranks, keyEvents.zremrangebyrank);
}

const zrange = rangeReply(By.unsaid, 'unsaid');
const zrevrange = rangeReply(By.rank, 'reverse');
const zrangebyscore = rangeReply(By.score, 'forward');
const zrevrangebyscore = rangeReply(By.score, 'reverse');
const zrangebylex = rangeReply(By.member, 'forward');
const zrevrangebylex = rangeReply(By.member, 'reverse');
const zcount = count(parseScoreRange);
const zlexcount = count(parseLexRange);
const zremrangebyscore = removeRange(parseScoreRange, keyEvents.zremrangebyscore);
const zremrangebylex = removeRange(parseLexRange, keyEvents.zremrangebylex);

/** The rows of ranges. */
export const zsetRanges: readonly Command[] = [
  read(
    {
      name: 'zcount',
      arity: 4,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'sorted-set',
      since: '2.0.0',
      complexity: 'O(log(N)), N members',
      summary: 'Counts the members with scores in a range.',
      syntax: 'key min:double max:double',
    },
    zcount,
  ),
  read(
    {
      name: 'zlexcount',
      arity: 4,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'sorted-set',
      since: '2.8.9',
      complexity: 'O(log(N)), N members',
      summary: 'Counts the members in a lexicographical range.',
      syntax: 'key min max',
    },
    zlexcount,
  ),
  read(
    {
      name: 'zrange',
      arity: -4,
      keys: '1 RO access',
      group: 'sorted-set',
      since: '1.2.0',
      history: [['6.2.0', 'REV, BYSCORE, BYLEX and LIMIT.']],
      complexity: 'O(log(N)+M), N members, M returned',
      summary: 'Returns the members in a range of ranks, scores or strings.',
      syntax:
        'key start stop [sortby:<BYSCORE | BYLEX>@6.2.0] [REV@6.2.0] [LIMIT (offset:integer count:integer)@6.2.0] [WITHSCORES]',
    },
    zrange,
  ),
  read(
    {
      name: 'zrangebylex',
      arity: -4,
      keys: '1 RO access',
      group: 'sorted-set',
      since: '2.8.9',
      deprecatedSince: '6.2.0',
      replacedBy: '`ZRANGE` with `BYLEX`',
      complexity: 'O(log(N)+M), N members, M returned',
      summary: 'Returns the members in a lexicographical range.',
      syntax: 'key min max [LIMIT (offset:integer count:integer)]',
    },
    zrangebylex,
  ),
  read(
    {
      name: 'zrangebyscore',
      arity: -4,
      keys: '1 RO access',
      group: 'sorted-set',
      since: '1.0.5',
      deprecatedSince: '6.2.0',
      replacedBy: '`ZRANGE` with `BYSCORE`',
      history: [['2.0.0', 'WITHSCORES.']],
      complexity: 'O(log(N)+M), N members, M returned',
      summary: 'Returns the members with scores in a range.',
      syntax: 'key min:double max:double [WITHSCORES@2.0.0] [LIMIT (offset:integer count:integer)]',
    },
    zrangebyscore,
  ),
  write(
    {
      name: 'zrangestore',
      arity: -5,
      flags: ['denyoom'],
      keys: ['1 OW update', '2 RO access'],
      group: 'sorted-set',
      since: '6.2.0',
      complexity: 'O(log(N)+M), N members, M stored',
      summary: 'Stores the members in a range of ranks, scores or strings.',
      syntax:
        'dst:key src:key#1 min max [sortby:<BYSCORE | BYLEX>] [REV] [LIMIT (offset:integer count:integer)]',
    },
    zrangestore,
  ),
  write(
    {
      name: 'zremrangebylex',
      arity: 4,
      keys: '1 RW delete',
      group: 'sorted-set',
      since: '2.8.9',
      complexity: 'O(log(N)+M), N members, M removed',
      summary: 'Removes the members in a lexicographical range.',
      syntax: 'key min max',
    },
    zremrangebylex,
  ),
  write(
    {
      name: 'zremrangebyrank',
      arity: 4,
      keys: '1 RW delete',
      group: 'sorted-set',
      since: '2.0.0',
      complexity: 'O(log(N)+M), N members, M removed',
      summary: 'Removes the members in a range of ranks.',
      syntax: 'key start:integer stop:integer',
    },
    zremrangebyrank,
  ),
  write(
    {
      name: 'zremrangebyscore',
      arity: 4,
      keys: '1 RW delete',
      group: 'sorted-set',
      since: '1.2.0',
      complexity: 'O(log(N)+M), N members, M removed',
      summary: 'Removes the members with scores in a range.',
      syntax: 'key min:double max:double',
    },
    zremrangebyscore,
  ),
  read(
    {
      name: 'zrevrange',
      arity: -4,
      keys: '1 RO access',
      group: 'sorted-set',
      since: '1.2.0',
      deprecatedSince: '6.2.0',
      replacedBy: '`ZRANGE` with `REV`',
      complexity: 'O(log(N)+M), N members, M returned',
      summary: 'Returns the members in a range of ranks, highest score first.',
      syntax: 'key start:integer stop:integer [WITHSCORES]',
    },
    zrevrange,
  ),
  read(
    {
      name: 'zrevrangebylex',
      arity: -4,
      keys: '1 RO access',
      group: 'sorted-set',
      since: '2.8.9',
      deprecatedSince: '6.2.0',
      replacedBy: '`ZRANGE` with `REV` and `BYLEX`',
      complexity: 'O(log(N)+M), N members, M returned',
      summary: 'Returns the members in a lexicographical range, last first.',
      syntax: 'key max min [LIMIT (offset:integer count:integer)]',
    },
    zrevrangebylex,
  ),
  read(
    {
      name: 'zrevrangebyscore',
      arity: -4,
      keys: '1 RO access',
      group: 'sorted-set',
      since: '2.2.0',
      deprecatedSince: '6.2.0',
      replacedBy: '`ZRANGE` with `REV` and `BYSCORE`',
      history: [['2.1.6', 'Exclusive min and max.']],
      complexity: 'O(log(N)+M), N members, M returned',
      summary: 'Returns the members with scores in a range, highest first.',
      syntax: 'key max:double min:double [WITHSCORES] [LIMIT (offset:integer count:integer)]',
    },
    zrevrangebyscore,
  ),
];
