/** Streams without their groups: adding, trimming, deleting, ranges. */
import { type Command, type ReadContext, read, type WriteContext, write } from '../command/command.js';
import type { Int64 } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import { NULL_ARRAY, OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { keyEvents } from '../storage/key-events.js';
import { STREAM_ENCODING } from '../types/stream.js';
import { EntryContent } from '../values/stream/node.js';
import { NODE_BYTES_MAX, Stream, type TrimOptions } from '../values/stream/stream.js';
import { StreamCursor } from '../values/stream/stream-cursor.js';
import {
  addUint64,
  compareIds,
  formatId,
  isZeroId,
  maxId,
  minId,
  nextId,
  type StreamId,
  uint64Max,
  type WrittenId,
} from '../values/stream/stream-id.js';
import {
  intervalEnd,
  intervalStart,
  readStream,
  streamId,
  writableStream,
  writtenId,
} from './stream-arguments.js';

const content = new EntryContent();
const cursor = new StreamCursor();

// ---- XADD and XTRIM ----

interface AddOptions {
  trim: TrimOptions | undefined;
  /** Undefined for `*`. */
  id: WrittenId | undefined;
  makesStream: boolean;
  /** Where the fields begin. */
  fieldsAt: number;
}

/** Of 100 nodes, within bounds: what an approximate trim takes away at most when it is not told. */
function defaultLimit(nodeEntries: number): number {
  const limit = 100 * nodeEntries;
  return limit <= 0 ? 10_000 : Math.min(limit, 1_000_000);
}

/** Reads the options of XADD up to its id, or those of XTRIM. */
function parseAddOptions(request: Request, adds: boolean, nodeEntries: number): AddOptions {
  let keep: TrimOptions['keep'] | undefined;
  let isApproximate = false;
  let limit: number | undefined;
  let id: WrittenId | undefined;
  let makesStream = true;
  let i = 2;
  for (; i < request.count; i++) {
    const more = request.count - 1 - i;
    if (adds && request.is(i, '*')) break;
    const isLength = request.is(i, 'MAXLEN');
    if (more > 0 && (isLength || request.is(i, 'MINID'))) {
      if (keep !== undefined) throw errors.streamTwoStrategies;
      isApproximate = more > 1 && request.is(i + 1, '~');
      if (isApproximate || (more > 1 && request.is(i + 1, '='))) i++;
      i++;
      if (isLength) {
        const maxLength = request.integer(i);
        if (maxLength < 0) throw errors.streamMaxlenNegative;
        keep = { maxLength };
      } else keep = { minId: streamId(request, i) };
    } else if (more > 0 && request.is(i, 'LIMIT')) {
      limit = request.integer(++i);
      if (limit < 0) throw errors.streamLimitNegative;
    } else if (adds && request.is(i, 'NOMKSTREAM')) makesStream = false;
    else if (adds) {
      id = writtenId(request, i);
      break;
    } else throw errors.syntax;
  }
  if (limit !== undefined && limit !== 0 && keep === undefined) throw errors.streamLimitAlone;
  if (!adds && keep === undefined) throw errors.streamNoStrategy;
  if (limit !== undefined && !isApproximate) throw errors.streamLimitExact;
  limit ??= isApproximate ? defaultLimit(nodeEntries) : 0;
  return {
    trim: keep === undefined ? undefined : { keep, isApproximate, limit },
    id,
    makesStream,
    fieldsAt: i + 1,
  };
}

/** The id that an entry gets behind `last`, by the time of the log. Throws when it would not be greater. */
function idOf(written: WrittenId | undefined, last: StreamId, nowMs: number): StreamId {
  if (written === undefined) return nowMs > last.ms ? { ms: nowMs, seq: 0 } : nextId(last)!;
  const { ms } = written;
  let { seq } = written;
  if (seq === undefined) {
    if (ms === last.ms && last.seq === uint64Max) throw errors.streamEntryTooLarge;
    seq = ms === last.ms ? addUint64(last.seq, 1) : 0;
  }
  const id = { ms, seq };
  if (compareIds(id, last) <= 0) throw errors.streamIdTooSmall;
  return id;
}

function xadd(request: Request, database: Database, context: WriteContext): Reply {
  const { settings } = context.keyspace;
  const options = parseAddOptions(request, true, settings['stream-node-max-entries']);
  const { fieldsAt } = options;
  const items = request.count - fieldsAt;
  if (items < 2 || items % 2 === 1) throw errors.wrongArity('xadd');
  if (options.id !== undefined && options.id.ms === 0 && options.id.seq === 0) throw errors.streamIdZero;
  const key = request.view(1);
  let stream = writableStream(database, key);
  if (stream === undefined && !options.makesStream) return null;
  const last = stream?.lastId ?? minId;
  if (compareIds(last, maxId) === 0) throw errors.streamIdsExhausted;
  const id = idOf(options.id, last, context.timeMs);
  content.of(request, fieldsAt);
  if (content.textBytes > NODE_BYTES_MAX) throw errors.streamEntryTooLarge;
  if (stream === undefined) stream = createStream(database, key);
  stream.append(id, content, settings);
  database.changed(key, keyEvents.xadd);
  if (options.trim !== undefined && stream.trim(options.trim) > 0) database.happened(key, keyEvents.xtrim);
  database.keyspace.created(database, key, STREAM_ENCODING);
  return formatId(id);
}

/** Adds an empty stream at `key`, which is absent. */
export function createStream(database: Database, key: View): Stream {
  const stream = new Stream(database.keyspace);
  database.createBig(key, STREAM_ENCODING, stream);
  return stream;
}

function xtrim(request: Request, database: Database, context: WriteContext): Reply {
  const { trim } = parseAddOptions(request, false, context.keyspace.settings['stream-node-max-entries']);
  const key = request.view(1);
  const stream = writableStream(database, key);
  if (stream === undefined) return 0;
  const deleted = stream.trim(trim!);
  if (deleted > 0) database.changed(key, keyEvents.xtrim);
  return deleted;
}

// ---- looking ----

function xlen(request: Request, database: ReadableDatabase): Reply {
  return readStream(database, request.view(1))?.length ?? 0;
}

const range =
  (isReverse: boolean) =>
  (request: Request, database: ReadableDatabase, _context: ReadContext): Reply => {
    const from = intervalStart(request, isReverse ? 3 : 2);
    const to = intervalEnd(request, isReverse ? 2 : 3);
    let count = -1;
    for (let i = 4; i < request.count; i += 2) {
      if (!request.is(i, 'COUNT') || i + 1 === request.count) throw errors.syntax;
      count = Math.max(0, request.integer(i + 1));
    }
    const stream = readStream(database, request.view(1));
    if (stream === undefined) return [];
    if (count === 0) return NULL_ARRAY;
    return entriesOf(stream, from, to, isReverse, count);
  };

/** Entries as replies, at most `count` of them, -1 for all. */
export function entriesOf(
  stream: Stream,
  from: StreamId,
  to: StreamId,
  isReverse: boolean,
  count: number,
): Reply[] {
  const replies: Reply[] = [];
  cursor.open(stream, from, to, isReverse);
  while (replies.length !== count && cursor.next()) replies.push(cursor.reply());
  return replies;
}

// ---- taking away ----

/** Ids from argument `first` on. Throws before anything has changed. */
export function idsFrom(request: Request, first: number): StreamId[] {
  const ids: StreamId[] = [];
  for (let i = first; i < request.count; i++) ids.push(streamId(request, i));
  return ids;
}

function xdel(request: Request, database: Database): Reply {
  const key = request.view(1);
  const stream = writableStream(database, key);
  if (stream === undefined) return 0;
  let deleted = 0;
  for (const id of idsFrom(request, 2)) if (stream.delete(id)) deleted++;
  if (deleted > 0) database.changed(key, keyEvents.xdel);
  return deleted;
}

function xsetid(request: Request, database: Database): Reply {
  const id = streamId(request, 2);
  let entriesAdded: Int64 | undefined;
  let maxDeletedId = minId;
  for (let i = 3; i < request.count; i += 2) {
    const hasMore = i + 1 < request.count;
    if (hasMore && request.is(i, 'ENTRIESADDED')) {
      entriesAdded = request.int64(i + 1);
      if (entriesAdded < 0) throw errors.streamEntriesAddedNegative;
    } else if (hasMore && request.is(i, 'MAXDELETEDID')) {
      maxDeletedId = streamId(request, i + 1);
      if (compareIds(id, maxDeletedId) < 0) throw errors.streamSetIdBelowGiven;
    } else throw errors.syntax;
  }
  const key = request.view(1);
  const stream = writableStream(database, key);
  if (stream === undefined) throw errors.noSuchKey;
  if (stream.length > 0) {
    if (compareIds(id, stream.lastLiveId) < 0) throw errors.streamSetIdBelowTop;
    if (entriesAdded !== undefined && entriesAdded < stream.length) throw errors.streamSetIdLength;
  }
  stream.lastId = id;
  if (entriesAdded !== undefined) stream.entriesAdded = entriesAdded;
  if (!isZeroId(maxDeletedId)) stream.maxDeletedId = maxDeletedId;
  // WATCH does not see it, as in Redis.
  stream.changedAt = database.keyspace.position;
  database.happened(key, keyEvents.xsetid);
  return OK;
}

const TRIM_SYNTAX =
  'trim:(strategy:<MAXLEN | MINID@6.2.0> [operator:<equal="=" | approximately="~">] threshold [LIMIT count:integer@6.2.0])';

export const streams: readonly Command[] = [
  write(
    {
      name: 'xadd',
      arity: -5,
      flags: ['denyoom', 'fast'],
      keys: '1 RW update; trimming makes it an update besides an insertion',
      group: 'stream',
      since: '5.0.0',
      tips: ['nondeterministic_output'],
      history: [
        ['6.2.0', 'NOMKSTREAM, MINID and LIMIT.'],
        ['7.0.0', 'Ids of the form `<ms>-*`.'],
      ],
      complexity: 'O(1); with trimming O(N) besides, N entries trimmed',
      summary: 'Appends an entry to a stream.',
      syntax: `key [NOMKSTREAM@6.2.0] [${TRIM_SYNTAX}] id_or_auto:<auto_id="*" | id> field_value:(field value)...`,
    },
    xadd,
  ),
  write(
    {
      name: 'xdel',
      arity: -3,
      flags: ['fast'],
      keys: '1 RW delete',
      group: 'stream',
      since: '5.0.0',
      complexity: 'O(log(N)) an id, N entries of the stream',
      summary: 'Deletes entries and returns how many were there.',
      syntax: 'key id ...',
    },
    xdel,
  ),
  read(
    {
      name: 'xlen',
      arity: 2,
      flags: ['fast'],
      keys: '1 RO',
      group: 'stream',
      since: '5.0.0',
      complexity: 'O(1)',
      summary: 'Returns the number of entries.',
      syntax: 'key',
    },
    xlen,
  ),
  read(
    {
      name: 'xrange',
      arity: -4,
      keys: '1 RO access',
      group: 'stream',
      since: '5.0.0',
      history: [['6.2.0', 'Exclusive ranges.']],
      complexity: 'O(log(N)+M), N entries, M of them returned',
      summary: 'Returns the entries between two ids.',
      syntax: 'key start end [COUNT count:integer]',
    },
    range(false),
  ),
  read(
    {
      name: 'xrevrange',
      arity: -4,
      keys: '1 RO access',
      group: 'stream',
      since: '5.0.0',
      history: [['6.2.0', 'Exclusive ranges.']],
      complexity: 'O(log(N)+M), N entries, M of them returned',
      summary: 'Returns the entries between two ids, the last first.',
      syntax: 'key end start [COUNT count:integer]',
    },
    range(true),
  ),
  write(
    {
      name: 'xsetid',
      arity: -3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW update',
      group: 'stream',
      since: '5.0.0',
      history: [['7.0.0', 'ENTRIESADDED and MAXDELETEDID.']],
      complexity: 'O(1)',
      summary: "Sets a stream's last id, for what restores streams.",
      syntax:
        'key last-id [ENTRIESADDED entries_added:integer@7.0.0] [MAXDELETEDID max_deleted_entry_id@7.0.0]',
    },
    xsetid,
  ),
  write(
    {
      name: 'xtrim',
      arity: -4,
      keys: '1 RW delete',
      group: 'stream',
      since: '5.0.0',
      tips: ['nondeterministic_output'],
      history: [['6.2.0', 'MINID and LIMIT.']],
      complexity: 'O(N), N entries trimmed',
      summary: 'Takes away the oldest entries and returns how many.',
      syntax: `key ${TRIM_SYNTAX}`,
    },
    xtrim,
  ),
];
