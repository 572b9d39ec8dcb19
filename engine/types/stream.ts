/**
 * Streams. Read in every form that Redis has written them in (rdb types 15, 19 and 21), written as Redis 7.0
 * does (19).
 */
import { corrupt, type RdbReader } from '../dump/rdb-reader.js';
import { RdbType } from '../dump/rdb-types.js';
import { type Int64, int64FromBigInt } from '../numbers/int64.js';
import { View } from '../protocol/view.js';
import { Digits } from '../values/packed.js';
import { validateNode } from '../values/stream/node.js';
import { Stream } from '../values/stream/stream.js';
import { StreamCursor } from '../values/stream/stream-cursor.js';
import {
  compareIds,
  ID_BYTES,
  maxId,
  minId,
  readId,
  type StreamId,
  type Uint64,
} from '../values/stream/stream-id.js';
import { streamRestorer } from '../values/stream/stream-restorer.js';
import { StreamDump } from './stream-dump.js';
import type { LoadedValue, ValueType } from './value-type.js';

/** Streams whose entries take less are dumped at once: a few milliseconds. */
const GRADUAL_BYTES = 1 << 20;

/** A stream's one encoding, in a slot's byte. */
export const STREAM_ENCODING = 13;

interface LoadedPending {
  readonly id: StreamId;
  readonly timeMs: number;
  readonly count: Uint64;
  consumer: number;
}

interface LoadedGroup {
  readonly name: string;
  readonly lastId: StreamId;
  /** Undefined where the form does not say. */
  readonly entriesRead: Int64 | undefined;
  readonly consumers: { readonly name: string; readonly seenMs: number }[];
  readonly pending: LoadedPending[];
}

export interface LoadedStream extends LoadedValue {
  readonly kind: 'stream';
  /** Id and listpack of each node, ascending. */
  readonly nodes: readonly Buffer[];
  readonly length: number;
  readonly lastId: StreamId;
  /** The rest is undefined in the first form, which does not have it. */
  readonly firstId: StreamId | undefined;
  readonly maxDeletedId: StreamId;
  readonly entriesAdded: Int64;
  readonly groups: readonly LoadedGroup[];
}

const view = new View();
const digits = new Digits();
const cursor = new StreamCursor();

// ---- reading ----

function loadNodes(reader: RdbReader): { nodes: Buffer[]; live: number; lastEntry: StreamId | undefined } {
  const nodes: Buffer[] = [];
  let live = 0;
  let lastEntry: StreamId | undefined;
  for (let left = reader.count(2); left > 0; left--) {
    const key = reader.string();
    if (key.length !== ID_BYTES) corrupt('a node has no id');
    const id = readId(key.buffer, key.start);
    if (lastEntry !== undefined && compareIds(id, lastEntry) <= 0) corrupt('nodes are out of order');
    const listpack = reader.string();
    const node = validateNode(listpack.buffer, listpack.start, listpack.length, id);
    if (node === undefined) return corrupt('a node is damaged');
    live += node.live;
    lastEntry = node.lastId;
    const bytes = Buffer.allocUnsafe(ID_BYTES + listpack.length);
    key.buffer.copy(bytes, 0, key.start, key.start + ID_BYTES);
    listpack.buffer.copy(bytes, ID_BYTES, listpack.start, listpack.start + listpack.length);
    nodes.push(bytes);
  }
  return { nodes, live, lastEntry };
}

const loadId = (reader: RdbReader): StreamId => ({ ms: reader.uint64(), seq: reader.uint64() });

const loadInt64 = (reader: RdbReader): Int64 => int64FromBigInt(BigInt.asIntN(64, BigInt(reader.uint64())));

function loadRawId(reader: RdbReader): StreamId {
  return readId(reader.raw(ID_BYTES), 0);
}

function loadGroup(reader: RdbReader, rdbType: number): LoadedGroup {
  const name = reader.text();
  const lastId = loadId(reader);
  const entriesRead = rdbType === RdbType.streamListpacks ? undefined : loadInt64(reader);
  const pending: LoadedPending[] = [];
  for (let left = reader.count(ID_BYTES + 9); left > 0; left--) {
    const id = loadRawId(reader);
    const previous = pending.at(-1);
    if (previous !== undefined && compareIds(id, previous.id) <= 0)
      corrupt('pending entries are out of order');
    pending.push({ id, timeMs: reader.milliseconds(), count: reader.uint64(), consumer: -1 });
  }
  const consumers: LoadedGroup['consumers'] = [];
  for (let left = reader.count(10); left > 0; left--) {
    const consumer = reader.text();
    if (consumers.some((other) => other.name === consumer)) corrupt('a consumer stands twice');
    const seenMs = reader.milliseconds();
    // When it was active last, which Redis 7.0 does not know.
    if (rdbType === RdbType.streamListpacks3) reader.milliseconds();
    for (let entries = reader.count(ID_BYTES); entries > 0; entries--) {
      const found = findPending(pending, loadRawId(reader));
      if (found === undefined || found.consumer >= 0) return corrupt('a consumer has what is not pending');
      found.consumer = consumers.length;
    }
    consumers.push({ name: consumer, seenMs });
  }
  for (const { consumer } of pending) if (consumer < 0) corrupt('a pending entry has no consumer');
  return { name, lastId, entriesRead, consumers, pending };
}

function findPending(pending: readonly LoadedPending[], id: StreamId): LoadedPending | undefined {
  let low = 0;
  let high = pending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareIds(pending[middle].id, id) < 0) low = middle + 1;
    else high = middle;
  }
  return low < pending.length && compareIds(pending[low].id, id) === 0 ? pending[low] : undefined;
}

export const streamType: ValueType<LoadedStream> = {
  name: 'stream',
  encodings: [{ encoding: STREAM_ENCODING, name: 'stream', isBig: true }],
  awaited: 'shared',
  digestNumber: 6,
  rdbTypes: [RdbType.streamListpacks, RdbType.streamListpacks2, RdbType.streamListpacks3],

  restorer: (_encoding, keyspace, size) => streamRestorer(keyspace, size),

  dump: (database, slot) => new StreamDump(database.object(slot) as Stream).step(() => true)!,

  gradualDump(database, slot) {
    const stream = database.object(slot) as Stream;
    return stream.nodes.blockBytes < GRADUAL_BYTES ? undefined : new StreamDump(stream);
  },

  load(reader, rdbType) {
    const { nodes, live, lastEntry } = loadNodes(reader);
    const length = Number(reader.uint64());
    if (length !== live) corrupt('the length is not that of the nodes');
    const lastId = loadId(reader);
    if (lastEntry !== undefined && compareIds(lastId, lastEntry) < 0) corrupt('the last id is not the last');
    const isOld = rdbType === RdbType.streamListpacks;
    const firstId = isOld ? undefined : loadId(reader);
    const maxDeletedId = isOld ? minId : loadId(reader);
    const entriesAdded = isOld ? length : loadInt64(reader);
    const groups: LoadedGroup[] = [];
    const names = new Set<string>();
    for (let left = reader.count(5); left > 0; left--) {
      const group = loadGroup(reader, rdbType);
      if (names.has(group.name)) corrupt('a group stands twice');
      names.add(group.name);
      groups.push(group);
    }
    return { kind: 'stream', rdbType, nodes, length, lastId, firstId, maxDeletedId, entriesAdded, groups };
  },

  create(database, key, value) {
    const stream = new Stream(database.keyspace);
    for (const node of value.nodes) stream.addNodeBytes(node);
    stream.length = value.length;
    stream.lastId = value.lastId;
    stream.firstId = value.firstId ?? firstLiveId(stream);
    stream.maxDeletedId = value.maxDeletedId;
    stream.entriesAdded = value.entriesAdded;
    for (const loaded of value.groups) {
      const entriesRead = loaded.entriesRead ?? stream.countUpTo(loaded.lastId) ?? -1;
      const group = stream.addGroup(loaded.name, loaded.lastId, entriesRead);
      for (const { name, seenMs } of loaded.consumers) group.addConsumer(name, seenMs, stream.epoch);
      for (const { id, timeMs, count, consumer } of loaded.pending)
        group.addPending(group.numbered(consumer)!, id, timeMs, count, stream.epoch);
    }
    database.createBig(key, STREAM_ENCODING, stream);
  },

  digest(into, database, slot) {
    cursor.open(database.object(slot) as Stream, minId, maxId, false);
    while (cursor.next()) {
      into.mix(`${cursor.id.ms}.${cursor.id.seq}`);
      cursor.eachText(view, digits, (text) => into.mix(text));
    }
  },
};

function firstLiveId(stream: Stream): StreamId {
  cursor.open(stream, minId, maxId, false);
  return cursor.next() ? cursor.id : minId;
}
