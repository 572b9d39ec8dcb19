/**
 * XREAD and XREADGROUP. XREAD is a read until it has to wait; only then is it proposed, as what it was, with
 * `$` told by the state in which it begins to wait.
 */
import { type Command, type ReadContext, read, type WriteContext, waitingWrite } from '../command/command.js';
import type { Int64 } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { BLOCKED, NULL_ARRAY, PairMap, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { keyEvents } from '../storage/key-events.js';
import type { Consumer, Group } from '../values/stream/group.js';
import { OrderPosition } from '../values/stream/id-order.js';
import type { Stream } from '../values/stream/stream.js';
import { StreamCursor } from '../values/stream/stream-cursor.js';
import {
  addUint64,
  compareIds,
  formatId,
  maxId,
  minId,
  nextId,
  parseId,
  type StreamId,
} from '../values/stream/stream-id.js';
import { readStream, writableStream } from './stream-arguments.js';
import { entriesOf } from './streams.js';

const cursor = new StreamCursor();
const place = new OrderPosition();

/** `>`: what no consumer of the group was given. */
const NEW = maxId;
/** COUNT as {@link entriesOf} takes it. */
const NO_COUNT = -1;

interface ReadOptions {
  /** Milliseconds, 0 for ever; undefined without BLOCK. */
  blockMs: Int64 | undefined;
  count: number;
  group: string;
  consumer: string;
  noAck: boolean;
  firstKey: number;
  keyCount: number;
}

function parseOptions(request: Request, isGroup: boolean): ReadOptions {
  const options: ReadOptions = {
    blockMs: undefined,
    count: NO_COUNT,
    group: '',
    consumer: '',
    noAck: false,
    firstKey: 0,
    keyCount: 0,
  };
  let hasGroup = false;
  for (let i = 1; i < request.count; i++) {
    const more = request.count - 1 - i;
    if (more > 0 && request.is(i, 'BLOCK')) {
      const value = request.int64OrUndefined(++i);
      if (value === undefined) throw errors.streamTimeoutNotInteger;
      if (value < 0) throw errors.timeoutNegative;
      options.blockMs = value;
    } else if (more > 0 && request.is(i, 'COUNT')) {
      const count = request.integer(++i);
      options.count = count > 0 ? count : NO_COUNT;
    } else if (more > 0 && request.is(i, 'STREAMS')) {
      options.firstKey = i + 1;
      if ((request.count - i - 1) % 2 !== 0) throw errors.streamUnbalanced;
      options.keyCount = (request.count - i - 1) / 2;
      break;
    } else if (more > 1 && request.is(i, 'GROUP')) {
      if (!isGroup) throw errors.streamGroupNotRead;
      options.group = request.latin1(i + 1);
      options.consumer = request.latin1(i + 2);
      hasGroup = true;
      i += 2;
    } else if (request.is(i, 'NOACK')) {
      if (!isGroup) throw errors.streamNoackNotRead;
      options.noAck = true;
    } else throw errors.syntax;
  }
  if (options.firstKey === 0) throw errors.syntax;
  if (isGroup && !hasGroup) throw errors.streamGroupMissing;
  return options;
}

/** When a wait that begins now gives up: milliseconds of logged time, 0 for never. */
function deadlineOf(blockMs: Int64, nowMs: number): number {
  return blockMs === 0 ? 0 : nowMs + Number(blockMs);
}

/** The keys that a request reads, latin1, each once. */
function distinctKeys(request: Request, { firstKey, keyCount }: ReadOptions): string[] {
  const keys = new Set<string>();
  for (let i = firstKey; i < firstKey + keyCount; i++) keys.add(request.latin1(i));
  return [...keys];
}

/** Which of the request's keys this is: the first of that name. */
function indexOf(request: Request, { firstKey, keyCount }: ReadOptions, key: View): number {
  for (let i = 0; i < keyCount; i++) if (request.view(firstKey + i).equals(key)) return i;
  throw new Error('a waiting request does not name the key that became ready');
}

// ---- XREAD ----

/** The id behind which the request reads its key number `i`. */
function readBehind(
  request: Request,
  database: ReadableDatabase,
  { firstKey, keyCount }: ReadOptions,
  i: number,
): StreamId {
  const text = request.latin1(firstKey + keyCount + i);
  const stream = readStream(database, request.view(firstKey + i));
  if (text === '$') return stream?.lastId ?? minId;
  if (text === '>') throw errors.streamNewNotInGroup;
  const id = parseId(text);
  if (id === undefined) throw errors.streamId;
  return id;
}

/** What there is behind an id; undefined where nothing is. */
function entriesBehind(stream: Stream | undefined, id: StreamId, count: number): Reply[] | undefined {
  if (stream === undefined || stream.length === 0 || compareIds(stream.lastLiveId, id) <= 0) return undefined;
  return entriesOf(stream, nextId(id)!, maxId, false, count);
}

function xread(request: Request, database: ReadableDatabase, _context: ReadContext): Reply {
  const options = parseOptions(request, false);
  const { firstKey, keyCount, count } = options;
  const ids: StreamId[] = [];
  for (let i = 0; i < keyCount; i++) ids.push(readBehind(request, database, options, i));
  const found: Reply[] = [];
  for (let i = 0; i < keyCount; i++) {
    const key = request.view(firstKey + i);
    const entries = entriesBehind(readStream(database, key), ids[i], count);
    if (entries !== undefined) found.push(key.latin1(), entries);
  }
  if (found.length > 0) return new PairMap(found);
  return options.blockMs === undefined ? NULL_ARRAY : BLOCKED;
}

/** Whether BLOCK stands among the options; what they are given is no option. */
function hasBlock(request: Request): boolean {
  for (let i = 1; i < request.count && !request.is(i, 'STREAMS'); i++) {
    if (request.is(i, 'BLOCK')) return true;
    if (request.is(i, 'GROUP')) i += 2;
    else if (request.is(i, 'COUNT')) i++;
  }
  return false;
}

/** XREAD in the log: it found nothing, and waits; or its stream has grown since. */
function xreadWaiting(request: Request, database: Database, context: WriteContext): Reply {
  const options = parseOptions(request, false);
  const ready = context.readyKey;
  if (ready === undefined) {
    const ids: string[] = [];
    for (let i = 0; i < options.keyCount; i++) ids.push(formatId(readBehind(request, database, options, i)));
    const deadline = deadlineOf(options.blockMs!, context.timeMs);
    return context.block(
      request,
      'stream',
      distinctKeys(request, options),
      deadline,
      withIds(request, options, ids),
    );
  }
  if (!isStream(database, ready)) return BLOCKED;
  const id = readBehind(request, database, options, indexOf(request, options, ready));
  const stream = readStream(database, ready)!;
  if (compareIds(stream.lastId, id) <= 0) return BLOCKED;
  return new PairMap([ready.latin1(), entriesOf(stream, nextId(id)!, maxId, false, options.count)]);
}

const isStream = (database: ReadableDatabase, key: View): boolean => {
  const slot = database.find(key);
  return slot >= 0 && database.type(slot) === 'stream';
};

/** The request with other ids, as a RESP array. */
function withIds(request: Request, { firstKey, keyCount }: ReadOptions, ids: readonly string[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${request.count}\r\n`)];
  for (let i = 0; i < request.count; i++) {
    const own = i >= firstKey + keyCount ? Buffer.from(ids[i - firstKey - keyCount]) : request.view(i).copy();
    parts.push(Buffer.from(`$${own.length}\r\n`), own, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

// ---- XREADGROUP ----

interface GroupRead {
  readonly stream: Stream;
  readonly group: Group;
  readonly behind: StreamId;
}

function groupReadOf(request: Request, database: Database, options: ReadOptions, i: number): GroupRead {
  const { firstKey, keyCount } = options;
  const key = request.view(firstKey + i);
  const stream = writableStream(database, key);
  const group = stream?.groups.get(options.group);
  if (stream === undefined || group === undefined)
    throw errors.streamNoGroup(key.latin1(), options.group, ' in XREADGROUP with GROUP option');
  const text = request.latin1(firstKey + keyCount + i);
  if (text === '$') throw errors.streamLastInGroup;
  const behind = text === '>' ? NEW : parseId(text);
  if (behind === undefined) throw errors.streamId;
  return { stream, group, behind };
}

/** The consumer of a name, made when it is new; it has been seen now. */
export function consumerOf(
  database: Database,
  key: View,
  stream: Stream,
  group: Group,
  name: string,
  nowMs: number,
): Consumer {
  const known = group.consumers.get(name);
  stream.changedAt = database.keyspace.position;
  if (known !== undefined) {
    stream.observer?.beforeConsumer(group, known);
    known.seenMs = nowMs;
    return known;
  }
  if (database.keyspace.isHeard) database.happened(key, keyEvents.xgroupCreateconsumer);
  return group.addConsumer(name, nowMs, stream.epoch);
}

function xreadgroup(request: Request, database: Database, context: WriteContext): Reply {
  const options = parseOptions(request, true);
  const ready = context.readyKey;
  if (ready !== undefined) return serveGroup(database, context, options, ready);
  const deadline = options.blockMs === undefined ? undefined : deadlineOf(options.blockMs, context.timeMs);
  const { firstKey, keyCount } = options;
  const reads: GroupRead[] = [];
  for (let i = 0; i < keyCount; i++) reads.push(groupReadOf(request, database, options, i));
  // Redis looks each key up again once all are known to have the group.
  if (database.keyspace.looksToRead) database.keyspace.statistics.keyspaceHits += keyCount;
  const found: Reply[] = [];
  for (let i = 0; i < keyCount; i++) {
    const { stream, group, behind } = reads[i];
    const isHistory = compareIds(behind, NEW) !== 0;
    if (!isHistory && !hasNew(stream, group)) continue;
    const key = request.view(firstKey + i);
    const consumer = consumerOf(database, key, stream, group, options.consumer, context.timeMs);
    const entries = isHistory
      ? historyOf(stream, group, consumer, nextId(behind)!, options.count, context.timeMs)
      : deliver(stream, group, consumer, options, context.timeMs);
    found.push(key.latin1(), entries);
  }
  if (found.length > 0) return new PairMap(found);
  if (deadline === undefined || context.inTransaction) return NULL_ARRAY;
  return context.block(request, 'stream', distinctKeys(request, options), deadline);
}

/** The group's stream has grown, or is gone, while the request waited. */
function serveGroup(database: Database, context: WriteContext, options: ReadOptions, ready: View): Reply {
  if (!isStream(database, ready)) return errors.streamGone;
  const stream = writableStream(database, ready)!;
  const group = stream.groups.get(options.group);
  if (group === undefined) return errors.streamGroupGone;
  if (compareIds(stream.lastId, group.lastId) <= 0) return BLOCKED;
  const consumer = consumerOf(database, ready, stream, group, options.consumer, context.timeMs);
  return new PairMap([ready.latin1(), deliver(stream, group, consumer, options, context.timeMs)]);
}

/** Whether the stream has entries behind the group's last id. */
function hasNew(stream: Stream, group: Group): boolean {
  const { lastId } = group;
  if (stream.length === 0 || compareIds(stream.lastId, lastId) <= 0) return false;
  return compareIds(stream.lastLiveId, lastId) > 0;
}

/** Gives a consumer the entries behind the group's last id; they are pending from now on, but with NOACK. */
function deliver(
  stream: Stream,
  group: Group,
  consumer: Consumer,
  { count, noAck }: ReadOptions,
  nowMs: number,
): Reply[] {
  const replies: Reply[] = [];
  const ids: StreamId[] = [];
  cursor.openBehind(stream, nextId(group.lastId) ?? maxId, maxId, group.next);
  let { lastId, entriesRead } = group;
  while (replies.length !== count && cursor.next()) {
    const { id } = cursor;
    entriesRead =
      entriesRead !== -1 && !stream.hasGapsBehind(id)
        ? addOne(entriesRead)
        : stream.entriesAdded === 0
          ? entriesRead
          : (stream.countUpTo(id) ?? -1);
    lastId = id;
    ids.push(id);
    replies.push(cursor.reply());
  }
  stream.moveGroup(group, lastId, entriesRead);
  group.next = replies.length === count ? cursor.mark() : undefined;
  if (noAck) return replies;
  for (const id of ids) {
    const pending = group.pending.size === 0 ? undefined : group.pending.find(id);
    if (pending === undefined) group.addPending(consumer, id, nowMs, 1, stream.epoch);
    else {
      // The group was set back: the entry was given before.
      group.movePending(pending, consumer, stream.observer);
      group.stamp(pending, nowMs, 1, stream.observer);
    }
  }
  return replies;
}

const addOne = (count: Int64): Int64 =>
  typeof count === 'number' && count < Number.MAX_SAFE_INTEGER ? count + 1 : BigInt(count) + 1n;

/** What a consumer was given and has not acknowledged, given again. */
function historyOf(
  stream: Stream,
  group: Group,
  consumer: Consumer,
  from: StreamId,
  count: number,
  nowMs: number,
): Reply[] {
  const replies: Reply[] = [];
  const { pending } = consumer;
  for (
    let more = pending.seekAtLeast(from, place);
    more && replies.length !== count;
    more = pending.next(place)
  ) {
    const address = pending.at(place);
    const id = pending.idOf(address);
    cursor.open(stream, id, id, false);
    if (!cursor.next()) {
      replies.push([formatId(id), NULL_ARRAY]);
      continue;
    }
    replies.push(cursor.reply());
    group.stamp(address, nowMs, addUint64(group.countOf(address), 1), stream.observer);
  }
  return replies;
}

export const streamReads: readonly Command[] = [
  read(
    {
      name: 'xread',
      arity: -4,
      flags: ['blocking'],
      keys: 'STREAMS@1..-1/1/2 RO access',
      group: 'stream',
      since: '5.0.0',
      complexity: 'O(log(N)+M) a stream of N entries, M of them returned',
      summary: 'Returns the entries behind given ids of several streams, waiting for one.',
      syntax: '[COUNT count:integer] [BLOCK milliseconds:integer] STREAMS streams:(key ... id ...)',
    },
    xread,
    { mayWait: hasBlock, run: xreadWaiting },
  ),
  waitingWrite(
    {
      name: 'xreadgroup',
      arity: -7,
      flags: ['blocking'],
      keys: 'STREAMS@4..-1/1/2 RO access',
      group: 'stream',
      since: '5.0.0',
      complexity: 'O(log(N)+M) a stream of N entries, M of them returned',
      summary: 'Returns entries that no other consumer of the group was given, waiting for one.',
      syntax:
        'GROUP group_consumer:(group consumer) [COUNT count:integer] [BLOCK milliseconds:integer] [NOACK] STREAMS streams:(key ... id ...)',
    },
    xreadgroup,
    hasBlock,
  ),
];
