/** What consumers were given and have not acknowledged: XPENDING, XCLAIM, XAUTOCLAIM. */
import { type Command, type ReadContext, read, type WriteContext, write } from '../command/command.js';
import type { Int64 } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { NULL_ARRAY, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import type { Consumer, Group } from '../values/stream/group.js';
import { OrderPosition } from '../values/stream/id-order.js';
import type { Stream } from '../values/stream/stream.js';
import { StreamCursor } from '../values/stream/stream-cursor.js';
import {
  addUint64,
  compareIds,
  formatId,
  minId,
  nextId,
  parseId,
  type StreamId,
} from '../values/stream/stream-id.js';
import {
  countFrom0,
  intervalEnd,
  intervalStart,
  readStream,
  requireGroup,
  streamId,
  writableStream,
  writableStreamAt,
} from './stream-arguments.js';
import { consumerOf } from './stream-reads.js';

const cursor = new StreamCursor();
const place = new OrderPosition();

// ---- XPENDING ----

interface PendingRange {
  readonly minIdleMs: number;
  readonly from: StreamId;
  readonly to: StreamId;
  readonly count: number;
  readonly consumer: string | undefined;
}

function parsePendingRange(request: Request): PendingRange {
  let at = 3;
  let minIdleMs = 0;
  if (request.is(3, 'IDLE')) {
    minIdleMs = request.integer(4);
    if (request.count < 8) throw errors.syntax;
    at = 5;
  }
  const count = countFrom0(request, at + 2);
  const from = intervalStart(request, at);
  const to = intervalEnd(request, at + 1);
  const consumer = at + 3 < request.count ? request.latin1(at + 3) : undefined;
  return { minIdleMs, from, to, count, consumer };
}

function xpending(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  const { count } = request;
  if (count !== 3 && (count < 6 || count > 9)) throw errors.syntax;
  const range = count === 3 ? undefined : parsePendingRange(request);
  const { group } = requireGroup(request, readStream(database, request.view(1)));
  return range === undefined ? summaryOf(group) : pendingIn(group, range, context.timeMs);
}

function summaryOf({ pending, consumers }: Group): Reply {
  if (pending.size === 0) return [0, null, null, NULL_ARRAY];
  const busy: Reply[] = [];
  for (const { name, pending: own } of consumers.values()) if (own.size > 0) busy.push([name, `${own.size}`]);
  return [pending.size, formatId(pending.idOf(pending.first!)), formatId(pending.idOf(pending.last!)), busy];
}

function pendingIn(
  group: Group,
  { minIdleMs, from, to, count, consumer }: PendingRange,
  nowMs: number,
): Reply {
  const order = consumer === undefined ? group.pending : group.consumers.get(consumer)?.pending;
  const replies: Reply[] = [];
  if (order === undefined || count === 0) return replies;
  for (let more = order.seekAtLeast(from, place); more && replies.length < count; more = order.next(place)) {
    const address = order.at(place);
    const id = order.idOf(address);
    if (compareIds(id, to) > 0) break;
    const idleMs = nowMs - group.timeOf(address);
    if (minIdleMs !== 0 && idleMs < minIdleMs) continue;
    replies.push([formatId(id), group.consumerOf(address).name, Math.max(0, idleMs), group.countOf(address)]);
  }
  return replies;
}

// ---- claiming ----

/** Argument 4: how long an entry must have been left alone. */
function minIdleOf(request: Request, command: string): number {
  const value = request.int64OrUndefined(4);
  if (value === undefined) throw errors.streamMinIdle(command);
  return Math.max(0, Number(value));
}

/** The entry as claims reply it; undefined when the stream has it no more. */
function claimedEntry(stream: Stream, id: StreamId, justId: boolean): Reply | undefined {
  cursor.open(stream, id, id, false);
  if (!cursor.next()) return undefined;
  return justId ? formatId(id) : cursor.reply();
}

interface ClaimOptions {
  readonly ids: readonly StreamId[];
  force: boolean;
  justId: boolean;
  /** When the entries count as given: now, but for IDLE and TIME. */
  timeMs: number;
  /** Undefined: counts on. */
  retryCount: Int64 | undefined;
  lastId: StreamId;
}

function parseClaimOptions(request: Request, nowMs: number): ClaimOptions {
  const ids: StreamId[] = [];
  let i = 5;
  for (; i < request.count; i++) {
    const id = parseId(request.latin1(i));
    if (id === undefined) break;
    ids.push(id);
  }
  const options: ClaimOptions = {
    ids,
    force: false,
    justId: false,
    timeMs: -1,
    retryCount: undefined,
    lastId: minId,
  };
  const argument = (error: typeof errors.syntax): Int64 => {
    const value = request.int64OrUndefined(++i);
    if (value === undefined) throw error;
    return value;
  };
  for (; i < request.count; i++) {
    const hasMore = i + 1 < request.count;
    if (request.is(i, 'FORCE')) options.force = true;
    else if (request.is(i, 'JUSTID')) options.justId = true;
    else if (hasMore && request.is(i, 'IDLE'))
      options.timeMs = nowMs - Number(argument(errors.streamClaimIdle));
    else if (hasMore && request.is(i, 'TIME')) options.timeMs = Number(argument(errors.streamClaimTime));
    else if (hasMore && request.is(i, 'RETRYCOUNT')) {
      const count = argument(errors.streamClaimCount);
      options.retryCount = count >= 0 ? count : undefined;
    } else if (hasMore && request.is(i, 'LASTID')) options.lastId = streamId(request, ++i);
    else throw errors.streamClaimOption(request.latin1(i));
  }
  // A time that cannot be is a client's clock gone wrong.
  if (options.timeMs < 0 || options.timeMs > nowMs) options.timeMs = nowMs;
  return options;
}

function xclaim(request: Request, database: Database, context: WriteContext): Reply {
  const { timeMs: nowMs } = context;
  const key = request.view(1);
  const { stream, group } = requireGroup(request, writableStream(database, key));
  const minIdleMs = minIdleOf(request, 'XCLAIM');
  const options = parseClaimOptions(request, nowMs);
  const { justId, retryCount, timeMs } = options;
  if (compareIds(options.lastId, group.lastId) > 0) {
    stream.moveGroup(group, options.lastId, group.entriesRead);
    stream.changedAt = database.keyspace.position;
  }
  // Made only for an entry that it gets.
  let consumer: Consumer | undefined;
  const replies: Reply[] = [];
  for (const id of options.ids) {
    const reply = claimedEntry(stream, id, justId);
    if (reply === undefined) {
      if (group.removePending(id, stream.observer)) stream.changedAt = database.keyspace.position;
      continue;
    }
    let pending = group.pending.find(id);
    if (pending === undefined) {
      if (!options.force) continue;
      consumer ??= consumerOf(database, key, stream, group, request.latin1(3), nowMs);
      pending = group.addPending(consumer, id, nowMs, 1, stream.epoch);
    } else if (minIdleMs !== 0 && nowMs - group.timeOf(pending) < minIdleMs) continue;
    consumer ??= consumerOf(database, key, stream, group, request.latin1(3), nowMs);
    group.movePending(pending, consumer, stream.observer);
    const count = group.countOf(pending);
    group.stamp(pending, timeMs, retryCount ?? (justId ? count : addUint64(count, 1)), stream.observer);
    replies.push(reply);
  }
  return replies;
}

/** How many pending entries are looked at for each one that may be claimed. */
const ATTEMPTS_FACTOR = 10;
const COUNT_MAX = Math.floor(Number.MAX_SAFE_INTEGER / 16);

function xautoclaim(request: Request, database: Database, context: WriteContext): Reply {
  const { timeMs: nowMs } = context;
  // Looked up first, as in Redis: a request that is refused for its arguments counts as a hit or a miss.
  const slot = database.lookup(request.view(1));
  const minIdleMs = minIdleOf(request, 'XAUTOCLAIM');
  const from = intervalStart(request, 5);
  let count = 100;
  let justId = false;
  for (let i = 6; i < request.count; i++) {
    if (i + 1 < request.count && request.is(i, 'COUNT')) {
      const given = request.int64OrUndefined(++i);
      if (given === undefined || given < 1 || given > COUNT_MAX) throw errors.geoCount;
      count = Number(given);
    } else if (request.is(i, 'JUSTID')) justId = true;
    else throw errors.syntax;
  }
  const key = request.view(1);
  const { stream, group } = requireGroup(request, writableStreamAt(database, slot));
  // Made only for an entry that it gets.
  let consumer: Consumer | undefined;
  const claimed: Reply[] = [];
  const gone: Reply[] = [];
  let next: StreamId | undefined = from;
  for (let attempts = count * ATTEMPTS_FACTOR; attempts > 0 && count > 0 && next !== undefined; attempts--) {
    const pending = group.firstFrom(next);
    if (pending === undefined) break;
    const id = group.pending.idOf(pending);
    next = nextId(id);
    const reply = claimedEntry(stream, id, justId);
    if (reply === undefined) {
      group.removePending(id, stream.observer);
      stream.changedAt = database.keyspace.position;
      gone.push(formatId(id));
      count--;
      continue;
    }
    if (minIdleMs !== 0 && nowMs - group.timeOf(pending) < minIdleMs) continue;
    consumer ??= consumerOf(database, key, stream, group, request.latin1(3), nowMs);
    group.movePending(pending, consumer, stream.observer);
    const deliveries = group.countOf(pending);
    group.stamp(pending, nowMs, justId ? deliveries : addUint64(deliveries, 1), stream.observer);
    claimed.push(reply);
    count--;
  }
  const left = next === undefined ? undefined : group.firstFrom(next);
  return [formatId(left === undefined ? minId : group.pending.idOf(left)), claimed, gone];
}

export const streamPending: readonly Command[] = [
  write(
    {
      name: 'xautoclaim',
      arity: -6,
      flags: ['fast'],
      keys: '1 RW delete',
      group: 'stream',
      since: '6.2.0',
      tips: ['nondeterministic_output'],
      history: [['7.0.0', 'Replies and forgets entries that were deleted from the stream.']],
      complexity: 'O(COUNT)',
      summary: 'Gives entries that were pending too long to another consumer.',
      syntax: 'key group consumer min-idle-time start [COUNT count:integer] [JUSTID]',
    },
    xautoclaim,
  ),
  write(
    {
      name: 'xclaim',
      arity: -6,
      flags: ['fast'],
      keys: '1 RW update',
      group: 'stream',
      since: '5.0.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(log(N)) an id, N pending entries',
      summary: 'Gives pending entries to another consumer.',
      syntax:
        'key group consumer min-idle-time id ... [IDLE ms:integer] [TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] [FORCE] [JUSTID] [LASTID id]',
    },
    xclaim,
  ),
  read(
    {
      name: 'xpending',
      arity: -3,
      keys: '1 RO access',
      group: 'stream',
      since: '5.0.0',
      tips: ['nondeterministic_output'],
      history: [['6.2.0', 'IDLE and exclusive ranges.']],
      complexity: 'O(N), N consumers; with a range O(log(M)+K), M pending entries, K looked at',
      summary: 'Returns what is pending in a group.',
      syntax: 'key group [filters:([IDLE min-idle-time:integer@6.2.0] start end count:integer [consumer])]',
    },
    xpending,
  ),
];
