/**
 * A stream: entries in nodes, in the order of their ids, and the groups that read them.
 *
 * Entries are only ever added behind all others; those that go are flagged, and a node goes with its last
 * live one. Which entry lies in which node follows from the operations and the settings alone.
 */
import { addInt64, type Int64 } from '../../numbers/int64.js';
import { type Address, Slab } from '../../storage/slab.js';
import type { BigValue, PieceSink, ValueWalk } from '../big-value.js';
import { listpackSize } from '../listpack.js';
import { GonePages, liveOf } from './gone-pages.js';
import { ByName, GROUP_OBJECT_BYTES, Group } from './group.js';
import { BLOCK_HEADER_BYTES, ID_OFFSET, IdOrder, OrderPosition } from './id-order.js';
import {
  type EntryContent,
  EntryFlag,
  EntryPlace,
  growthOf,
  lastEntryId,
  listpackStart,
  Master,
  replaceInteger,
} from './node.js';
import { type NodeSink, NodesWalk } from './nodes-walk.js';
import { countRadixNodes, summarizeFullPage } from './radix-nodes.js';
import { StreamCursor } from './stream-cursor.js';
import { compareIds, differenceOf, isZeroId, maxId, minId, type StreamId, writeId } from './stream-id.js';
import { allPieces, StreamWalk } from './stream-walk.js';

/** No node grows beyond this, whatever the settings say, and no entry. */
export const NODE_BYTES_MAX = 1 << 30;
/** From so many nodes on, a new one gets its room at once. */
const MANY_NODES = 4;
const ROOM_BYTES = 4608;

/** Estimate of what V8 takes for the stream's objects. */
const STREAM_OBJECT_BYTES = 500;

/** A part that no stream holds any more. */
type Gone = Pick<BigValue, 'isWalked' | 'dispose'>;

/** Where a stream lives: what it needs of the keyspace. */
export interface StreamHome {
  readonly slab: Slab;
  /** Takes over what is to be freed piecemeal. */
  discard(gone: Gone): void;
}

/** How much a node holds: stream-node-max-bytes and stream-node-max-entries, 0 for no limit. */
export interface NodeLimits {
  readonly 'stream-node-max-bytes': number;
  readonly 'stream-node-max-entries': number;
}

/** What to keep: the newest `maxLength` entries, or those from `minId` on. */
export interface TrimOptions {
  readonly keep: { readonly maxLength: number } | { readonly minId: StreamId };
  /** Only whole nodes go. */
  readonly isApproximate: boolean;
  /** How many entries may go at most; 0: any number. */
  readonly limit: number;
}

const place = new OrderPosition();
const master = new Master();
const entry = new EntryPlace();
const edge = new StreamCursor();

export class Stream implements BigValue {
  readonly slab: Slab;
  readonly nodes: IdOrder;
  readonly groups = new ByName<Group>();
  /** Live entries. */
  length = 0;
  /** The greatest id that was ever there. */
  lastId: StreamId = minId;
  /** The first live entry's id; 0-0 when there is none. */
  firstId: StreamId = minId;
  /** The greatest id that XDEL has taken away; 0-0 when none. */
  maxDeletedId: StreamId = minId;
  /** How many entries were ever added. */
  entriesAdded: Int64 = 0;
  /** Position of the last change that WATCH does not see: of groups and what is pending. */
  changedAt = 0;
  /** Counts what may move entries within nodes, or nodes: until then a place in a node stays good. */
  shape = 0;
  /** Numbers walks; a block, group or consumer with the walk's number is none that it still has to give. */
  epoch = 0;
  /** {@link lastLiveId}, as far as it is known. */
  private lastLive: StreamId | undefined;
  private current: StreamWalk | undefined;
  /** Walks of its nodes alone, any number at a time. */
  private dumps: readonly NodesWalk[] = [];
  private readonly groupNumbers: (Group | undefined)[] = [];

  constructor(readonly home: StreamHome) {
    this.slab = home.slab;
    this.nodes = new IdOrder(home.slab, (address) => liveOf(home.slab, address));
    this.slab.track(STREAM_OBJECT_BYTES);
  }

  /** Noted when it is made. */
  readonly objectBytes = 0;

  get memoryBytes(): number {
    let bytes = STREAM_OBJECT_BYTES + this.nodes.blockBytes + this.nodes.overheadBytes;
    for (const group of this.groups.values()) bytes += group.memoryBytes;
    return bytes;
  }

  get elementCount(): number {
    let count = this.length;
    for (const group of this.groups.values()) count += group.pending.size + group.consumers.size;
    return count;
  }

  contentBytes(): number {
    let bytes = 0;
    const node = new OrderPosition();
    for (let more = this.nodes.toFirst(node); more; more = this.nodes.next(node)) {
      const address = this.nodes.at(node);
      bytes += listpackSize(this.slab.buffer(address), listpackStart(this.slab, address));
    }
    return bytes;
  }

  /** The walk under way, which is to be told of what changes. */
  get observer(): StreamWalk | undefined {
    return this.current;
  }

  // ---- adding ----

  /**
   * Adds an entry, whose id is greater than {@link lastId}. The caller has checked its size against {@link
   * NODE_BYTES_MAX}.
   */
  append(id: StreamId, content: EntryContent, limits: NodeLimits): void {
    const tail = this.nodes.last;
    if (tail === undefined || !this.hasRoom(tail, content, limits)) {
      if (tail !== undefined) this.settle(tail);
      this.addNode(id, content);
    } else this.appendTo(tail, id, content);
    this.length++;
    this.entriesAdded = addInt64(this.entriesAdded, 1) ?? this.entriesAdded;
    this.lastId = this.lastLive = id;
    if (this.length === 1) this.firstId = id;
  }

  private hasRoom(tail: Address, content: EntryContent, limits: NodeLimits): boolean {
    const buffer = this.slab.buffer(tail);
    const start = listpackStart(this.slab, tail);
    const bytes = limits['stream-node-max-bytes'];
    const bytesMax = bytes === 0 || bytes > NODE_BYTES_MAX ? NODE_BYTES_MAX : bytes;
    if (listpackSize(buffer, start) + content.textBytes >= bytesMax) return false;
    const entries = limits['stream-node-max-entries'];
    if (entries === 0) return true;
    master.read(buffer, start);
    return master.live + master.deleted < entries;
  }

  private addNode(id: StreamId, content: EntryContent): void {
    const address = this.allocate(this.roomFor(content.nodeBytes));
    const buffer = this.slab.buffer(address);
    const offset = this.slab.offset(address);
    buffer.writeUInt32LE(this.epoch, offset);
    buffer.writeUInt32LE(0, offset + 4);
    writeId(buffer, offset + ID_OFFSET, id);
    content.writeNode(buffer, offset + BLOCK_HEADER_BYTES);
    this.nodes.add(address);
    summarizeFullPage(this.nodes, this.slab);
  }

  private appendTo(tail: Address, id: StreamId, content: EntryContent): void {
    let start = listpackStart(this.slab, tail);
    let buffer = this.slab.buffer(tail);
    const nodeId = this.nodes.idOf(tail);
    master.read(buffer, start);
    const isSame = content.hasFieldsOf(buffer, master);
    const ms = differenceOf(id.ms, nodeId.ms);
    const seq = differenceOf(id.seq, nodeId.seq);
    const growth = growthOf(buffer, start + LIVE_OFFSET, master.live + 1);
    if (growth > 0) this.shape++;
    const address = this.reserve(tail, content.entryBytes(ms, seq, isSame) + growth);
    buffer = this.slab.buffer(address);
    start = listpackStart(this.slab, address);
    content.append(buffer, start, ms, seq, isSame);
    replaceInteger(buffer, start, start + LIVE_OFFSET, master.live + 1);
    this.nodes.reweighLast(1);
  }

  // ---- taking away ----

  /** Deletes an entry; whether it was there. */
  delete(id: StreamId): boolean {
    if (!this.nodes.seekAtMost(id, place)) return false;
    const address = this.nodes.at(place);
    const offset = this.findEntry(address, id);
    if (offset < 0) return false;
    if (master.live === 1) {
      this.give(address);
      this.nodes.remove(this.nodes.idOf(address));
      this.free(address);
      this.length--;
    } else this.flag(address, [offset]);
    if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = id;
    if (this.lastLive !== undefined && compareIds(id, this.lastLive) === 0) this.lastLive = undefined;
    if (this.length === 0) this.firstId = minId;
    else if (compareIds(id, this.firstId) === 0) this.findFirst();
    return true;
  }

  /** Whether a live entry has this id. */
  has(id: StreamId): boolean {
    return this.nodes.seekAtMost(id, place) && this.findEntry(this.nodes.at(place), id) >= 0;
  }

  /** The offset, within the listpack of its node, of the live entry with an id, or -1. */
  private findEntry(address: Address, id: StreamId): number {
    const buffer = this.slab.buffer(address);
    const start = listpackStart(this.slab, address);
    const nodeId = this.nodes.idOf(address);
    const end = start + listpackSize(buffer, start) - 1;
    master.read(buffer, start);
    for (let at = master.firstEntry(buffer); at < end; at = entry.after(buffer)) {
      entry.read(buffer, at, nodeId, master);
      const order = compareIds(entry, id);
      if (order >= 0) return order === 0 && !entry.isDeleted ? at - start : -1;
    }
    return -1;
  }

  /**
   * Flags live entries of a node, at offsets within its listpack, as deleted. The node stays: after a trim
   * Redis keeps it, too.
   */
  private flag(address: Address, offsets: readonly number[]): void {
    this.shape++;
    this.give(address);
    let buffer = this.slab.buffer(address);
    let start = listpackStart(this.slab, address);
    master.read(buffer, start);
    const live = master.live - offsets.length;
    const deleted = master.deleted + offsets.length;
    this.length -= offsets.length;
    const kept = this.reserve(address, growthOf(buffer, master.deletedAt, deleted));
    buffer = this.slab.buffer(kept);
    start = listpackStart(this.slab, kept);
    // From behind: an element that changes its size would move those behind it.
    for (let i = offsets.length - 1; i >= 0; i--) {
      const at = start + offsets[i];
      entry.read(buffer, at, minId, master);
      replaceInteger(buffer, start, at, entry.flags | EntryFlag.deleted);
    }
    replaceInteger(buffer, start, master.read(buffer, start).deletedAt, deleted);
    replaceInteger(buffer, start, start + LIVE_OFFSET, live);
    this.nodes.reweigh(this.nodes.idOf(kept), -offsets.length);
  }

  /** Takes away the oldest entries; returns how many. */
  trim(options: TrimOptions): number {
    const { keep, isApproximate, limit } = options;
    let deleted = this.trimPages(options);
    while (this.nodes.size > 0) {
      if ('maxLength' in keep && this.length <= keep.maxLength) break;
      const address = this.nodes.first!;
      const buffer = this.slab.buffer(address);
      const start = listpackStart(this.slab, address);
      const { live } = master.read(buffer, start);
      if (limit !== 0 && deleted + live > limit) break;
      const goes =
        'maxLength' in keep
          ? this.length - live >= keep.maxLength
          : compareIds(this.lastIdOf(address), keep.minId) < 0;
      if (goes) {
        this.give(address);
        this.nodes.shift();
        this.free(address);
        this.length -= live;
        deleted += live;
        continue;
      }
      if (!isApproximate) deleted += this.trimNode(address, keep);
      break;
    }
    if (deleted > 0) {
      if (this.length === 0) this.firstId = this.lastLive = minId;
      else this.findFirst();
    }
    return deleted;
  }

  /**
   * Takes away whole pages of nodes, whose memory comes back later: as many as {@link trim} would take away
   * node by node. Returns how many entries they had.
   */
  private trimPages({ keep, limit }: TrimOptions): number {
    const { pages } = this.nodes;
    let count = 0;
    let deleted = 0;
    for (const page of pages) {
      if (limit !== 0 && deleted + page.weight > limit) break;
      const goes =
        'maxLength' in keep
          ? this.length - deleted - page.weight > keep.maxLength
          : compareIds(this.lastIdOf(page.addresses[page.count - 1]), keep.minId) < 0;
      if (!goes) break;
      deleted += page.weight;
      count++;
    }
    if (count === 0) return 0;
    this.shape++;
    this.length -= deleted;
    const gone = new GonePages(this.slab, this.nodes.shiftPages(count));
    this.current?.holdPages(gone);
    for (const dump of this.dumps) dump.holdPages(gone);
    this.home.discard(gone);
    return deleted;
  }

  private lastIdOf(address: Address): StreamId {
    const buffer = this.slab.buffer(address);
    return lastEntryId(buffer, listpackStart(this.slab, address), this.slab.offset(address) + ID_OFFSET);
  }

  /** Flags the entries at the node's head that are not to be kept; returns how many. */
  private trimNode(address: Address, keep: TrimOptions['keep']): number {
    const buffer = this.slab.buffer(address);
    const start = listpackStart(this.slab, address);
    const nodeId = this.nodes.idOf(address);
    const end = start + listpackSize(buffer, start) - 1;
    const offsets: number[] = [];
    master.read(buffer, start);
    for (let at = master.firstEntry(buffer); at < end; at = entry.after(buffer)) {
      entry.read(buffer, at, nodeId, master);
      if (
        'maxLength' in keep
          ? this.length - offsets.length <= keep.maxLength
          : compareIds(entry, keep.minId) >= 0
      )
        break;
      if (!entry.isDeleted) offsets.push(at - start);
    }
    if (offsets.length > 0) this.flag(address, offsets);
    return offsets.length;
  }

  private findFirst(): void {
    edge.open(this, minId, maxId, false);
    this.firstId = edge.next() ? edge.id : minId;
  }

  /** The last live entry's id, or 0-0. */
  get lastLiveId(): StreamId {
    if (this.lastLive === undefined) {
      edge.open(this, minId, maxId, true);
      this.lastLive = edge.next() ? edge.id : minId;
    }
    return this.lastLive;
  }

  // ---- counting ----

  /** Whether XDEL may have taken away entries behind `id`. */
  hasGapsBehind(id: StreamId): boolean {
    if (this.length === 0 || isZeroId(this.maxDeletedId)) return false;
    // What was deleted lay before the first entry that is left.
    if (compareIds(this.firstId, this.maxDeletedId) > 0) return false;
    return compareIds(id, this.maxDeletedId) <= 0;
  }

  /** How many entries were added up to the one with this id, or undefined when that cannot be told. */
  countUpTo(id: StreamId): Int64 | undefined {
    if (this.entriesAdded === 0) return 0;
    const toLast = compareIds(id, this.lastId);
    if (this.length === 0 && toLast < 1) return this.entriesAdded;
    if (toLast === 0) return this.entriesAdded;
    if (toLast > 0) return undefined;
    if (!isZeroId(this.maxDeletedId) && compareIds(this.maxDeletedId, this.firstId) >= 0) return undefined;
    const toFirst = compareIds(id, this.firstId);
    const before = addInt64(this.entriesAdded, -this.length);
    if (toFirst < 0) return before;
    return toFirst === 0 && before !== undefined ? addInt64(before, 1) : undefined;
  }

  /** How many entries a group has still to read, or undefined when that cannot be told. */
  lagOf(group: Group): Int64 | undefined {
    if (this.entriesAdded === 0) return 0;
    const read =
      group.entriesRead !== -1 && !this.hasGapsBehind(group.lastId)
        ? group.entriesRead
        : this.countUpTo(group.lastId);
    return read === undefined ? undefined : addInt64(this.entriesAdded, -read);
  }

  /** How many nodes the radix tree has in which Redis would keep the nodes' ids: XINFO says so. */
  get radixTreeNodes(): number {
    return countRadixNodes(this.nodes, this.slab);
  }

  // ---- groups ----

  /** Adds a group, whose name is free. */
  addGroup(name: string, lastId: StreamId, entriesRead: Int64, number = this.freeGroupNumber()): Group {
    const group = new Group(name, number, lastId, entriesRead, this.slab);
    group.epoch = this.epoch;
    this.groupNumbers[number] = group;
    this.groups.set(name, group);
    this.slab.track(GROUP_OBJECT_BYTES);
    return group;
  }

  private freeGroupNumber(): number {
    let number = 0;
    while (this.groupNumbers[number] !== undefined) number++;
    return number;
  }

  removeGroup(group: Group): void {
    this.groups.delete(group.name);
    this.groupNumbers[group.number] = undefined;
    if (this.current !== undefined) this.current.adopt(group);
    else this.home.discard(group);
  }

  /** Moves a group on, or back. */
  moveGroup(group: Group, lastId: StreamId, entriesRead: Int64): void {
    this.current?.beforeGroup(group);
    group.lastId = lastId;
    group.entriesRead = entriesRead;
    group.next = undefined;
  }

  // ---- blocks ----

  private give(address: Address): void {
    this.current?.beforeNode(address);
    if (this.dumps.length > 0) for (const dump of this.dumps) dump.beforeNode(address);
  }

  private roomFor(needed: number): number {
    if (needed >= ROOM_BYTES) return needed;
    return this.nodes.size >= MANY_NODES ? ROOM_BYTES : Math.min(ROOM_BYTES, needed + (needed >>> 1));
  }

  /**
   * To be called before a node's bytes change: gives it to the walk, and makes room for `extra` more. Returns
   * where it is then.
   */
  private reserve(address: Address, extra: number): Address {
    this.give(address);
    const needed = this.sizeOf(address) + extra;
    if (this.slab.capacity(address) < needed) return this.relocate(address, this.roomFor(needed));
    this.slab.owned(address);
    return address;
  }

  /** Gives back room that a node does not need, now that it is not the one that grows. */
  private settle(address: Address): void {
    const size = this.sizeOf(address);
    if (Slab.blockBytes(size) < this.slab.capacity(address)) this.relocate(address, size);
  }

  private sizeOf(address: Address): number {
    return BLOCK_HEADER_BYTES + listpackSize(this.slab.buffer(address), listpackStart(this.slab, address));
  }

  private relocate(address: Address, capacity: number): Address {
    const moved = this.allocate(capacity);
    const buffer = this.slab.buffer(address);
    const offset = this.slab.offset(address);
    buffer.copy(this.slab.buffer(moved), this.slab.offset(moved), offset, offset + this.sizeOf(address));
    if (address === this.nodes.last) this.nodes.replaceLast(moved);
    else this.nodes.replace(moved);
    this.free(address);
    return moved;
  }

  /** Adds a node of checked bytes, an id and a listpack. */
  addNodeBytes(bytes: Buffer): void {
    const address = this.allocate(ID_OFFSET + bytes.length);
    const buffer = this.slab.buffer(address);
    const offset = this.slab.offset(address);
    buffer.writeUInt32LE(this.epoch, offset);
    buffer.writeUInt32LE(0, offset + 4);
    bytes.copy(buffer, offset + ID_OFFSET);
    this.nodes.add(address);
    this.lastLive = undefined;
    summarizeFullPage(this.nodes, this.slab);
  }

  private allocate(size: number): Address {
    const address = this.slab.allocate(size);
    return address;
  }

  private free(address: Address): void {
    this.shape++;
    this.slab.free(address);
  }

  dispose(limit: number): boolean {
    let left = limit;
    while (left > 0 && this.nodes.size > 0) {
      const address = this.nodes.pop();
      left -= liveOf(this.slab, address) + 1;
      this.free(address);
    }
    while (left > 0 && this.groups.size > 0) {
      const group = this.groups.get(this.groups.minKey()!)!;
      left -= group.pending.size + 1;
      if (!group.dispose(limit)) return false;
      this.groups.delete(group.name);
    }
    if (this.nodes.size > 0 || this.groups.size > 0) return false;
    this.slab.track(-STREAM_OBJECT_BYTES);
    return true;
  }

  // ---- snapshots ----

  get isWalked(): boolean {
    return this.current !== undefined || this.dumps.length > 0;
  }

  get pieceCount(): number {
    let count = 1 + this.nodes.size;
    for (const group of this.groups.values()) count += 1 + group.consumers.size + group.pending.size;
    return count;
  }

  pieces(sink: PieceSink): void {
    allPieces(this, sink);
  }

  /** Begins to give the nodes as they are now, in their order, whatever happens to them afterwards. */
  walkNodes(sink: NodeSink): NodesWalk {
    const walk = new NodesWalk(this, sink, () => {
      this.dumps = this.dumps.filter((other) => other !== walk);
    });
    this.dumps = [...this.dumps, walk];
    return walk;
  }

  walk(sink: PieceSink): ValueWalk {
    if (this.current !== undefined) throw new Error('a stream is walked twice at a time');
    this.epoch++;
    this.current = new StreamWalk(this, sink, (orphans) => {
      this.current = undefined;
      for (const group of orphans) this.home.discard(group);
    });
    return this.current;
  }
}

/** Offset of the count of live entries in a node's listpack. */
const LIVE_OFFSET = 6;
