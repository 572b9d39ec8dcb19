/** What the stream commands share: ids, intervals and groups as arguments. */
import { errors } from '../protocol/errors.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { STREAM_ENCODING } from '../types/stream.js';
import type { Group } from '../values/stream/group.js';
import type { Stream } from '../values/stream/stream.js';
import {
  maxId,
  minId,
  nextId,
  parseId,
  parseWrittenId,
  previousId,
  type StreamId,
  type Uint64,
  uint64Max,
  type WrittenId,
} from '../values/stream/stream-id.js';

/** The slot of the stream at `key`, or ABSENT. Throws WRONGTYPE. */
export function findStream(database: ReadableDatabase, key: View): Slot {
  return streamSlot(database, database.lookup(key));
}

function streamSlot(database: ReadableDatabase, slot: Slot): Slot {
  if (slot !== ABSENT && database.encoding(slot) !== STREAM_ENCODING) throw errors.wrongType;
  return slot;
}

/** The stream at `key`, to be read; undefined when absent. Throws WRONGTYPE. */
export function readStream(database: ReadableDatabase, key: View): Stream | undefined {
  const slot = findStream(database, key);
  return slot === ABSENT ? undefined : (database.object(slot) as Stream);
}

/** The stream at `key`, to be changed; undefined when absent. Throws WRONGTYPE. */
export function writableStream(database: Database, key: View): Stream | undefined {
  return writableStreamAt(database, database.lookup(key));
}

/** {@link writableStream} of a key that was looked up. */
export function writableStreamAt(database: Database, found: Slot): Stream | undefined {
  const slot = streamSlot(database, found);
  return slot === ABSENT ? undefined : (database.objectForWrite(slot) as Stream);
}

/** Argument `index` as an id (`5-3`, or `5` with `missingSeq`). */
export function streamId(request: Request, index: number, missingSeq: Uint64 = 0): StreamId {
  const id = parseId(request.latin1(index), missingSeq);
  if (id === undefined) throw errors.streamId;
  return id;
}

/** Argument `index` as XADD takes it: `5-*` too. */
export function writtenId(request: Request, index: number): WrittenId {
  const id = parseWrittenId(request.latin1(index), 0, true);
  if (id === undefined) throw errors.streamId;
  return id;
}

/** A bound of an interval; `isExclusive` when `(` stands before it. */
function bound(request: Request, index: number, missingSeq: Uint64): { id: StreamId; isExclusive: boolean } {
  const text = request.latin1(index);
  if (text === '-') return { id: minId, isExclusive: false };
  if (text === '+') return { id: maxId, isExclusive: false };
  const isExclusive = text.length > 1 && text[0] === '(';
  const id = parseId(isExclusive ? text.slice(1) : text, missingSeq);
  if (id === undefined) throw errors.streamId;
  return { id, isExclusive };
}

/** Argument `index` as the first id of an interval. */
export function intervalStart(request: Request, index: number): StreamId {
  const { id, isExclusive } = bound(request, index, 0);
  const first = isExclusive ? nextId(id) : id;
  if (first === undefined) throw errors.streamStart;
  return first;
}

/** Argument `index` as the last id of an interval. */
export function intervalEnd(request: Request, index: number): StreamId {
  const { id, isExclusive } = bound(request, index, uint64Max);
  const last = isExclusive ? previousId(id) : id;
  if (last === undefined) throw errors.streamEnd;
  return last;
}

/** Stream and group that arguments 1 and 2 name. Throws NOGROUP. */
export function requireGroup(request: Request, stream: Stream | undefined): { stream: Stream; group: Group } {
  const group = stream?.groups.get(request.latin1(2));
  if (stream === undefined || group === undefined)
    throw errors.streamNoGroup(request.latin1(1), request.latin1(2));
  return { stream, group };
}

/** Argument `index` as a count, a negative one being 0. */
export const countFrom0 = (request: Request, index: number): number => Math.max(0, request.integer(index));
