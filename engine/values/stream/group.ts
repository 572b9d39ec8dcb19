/**
 * A consumer group: where it stands in the stream, who reads for it, and which entries they were given and
 * have not acknowledged.
 *
 * A pending entry is one block of the slab, in the group's order of ids and in its consumer's. Its consumer
 * is a number: the lowest that was free in the group when the consumer came, so that numbers follow from who
 * is there and who was before them.
 */
import type { Int64 } from '../../numbers/int64.js';
import type { Address, Slab } from '../../storage/slab.js';
import { BTree } from '../btree.js';
import { BLOCK_HEADER_BYTES, IdOrder, OrderPosition } from './id-order.js';
import type { EntryMark } from './stream-cursor.js';
import { type StreamId, type Uint64, writeId } from './stream-id.js';

/** By name, in the order of its bytes (latin1). */
export class ByName<Value> extends BTree<string, Value> {
  constructor() {
    // The default order of sorted-btree costs more, and is that of strings too.
    super(undefined, (a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }
}

/** A group's {@link Group.entriesRead} when nobody knows. */
export const UNKNOWN_COUNT = -1;

/** Behind a pending entry's id: when it was given last (ms), and how often. */
const TIME_OFFSET = BLOCK_HEADER_BYTES;
const COUNT_OFFSET = TIME_OFFSET + 8;
const CONSUMER_OFFSET = 4;
export const PENDING_BYTES = COUNT_OFFSET + 8;

/**
 * Estimates of what V8 takes for the objects of a group and of a consumer, their places among others
 * included.
 */
export const GROUP_OBJECT_BYTES = 400;
export const CONSUMER_OBJECT_BYTES = 250;

export class Consumer {
  readonly pending: IdOrder;
  /** The walk that has it; see {@link StreamWalk}. */
  epoch = 0;

  constructor(
    readonly name: string,
    readonly number: number,
    /** When it last asked for anything: milliseconds of logged time. */
    public seenMs: number,
    slab: Slab,
  ) {
    this.pending = new IdOrder(slab);
  }
}

/** Told before something of a group changes or goes: a snapshot under way gets it first. */
export interface GroupObserver {
  beforePending(group: Group, address: Address): void;
  beforeConsumer(group: Group, consumer: Consumer): void;
  /** What is new is none of the snapshot's. */
  readonly epoch: number;
}

const place = new OrderPosition();

export class Group {
  readonly pending: IdOrder;
  readonly consumers = new ByName<Consumer>();
  epoch = 0;
  /** Where the group's next entry is, as far as this node remembers; no part of the state. */
  next: EntryMark | undefined;
  private readonly byNumber: (Consumer | undefined)[] = [];
  /** No number below is free. */
  private lowestFree = 0;

  constructor(
    readonly name: string,
    readonly number: number,
    public lastId: StreamId,
    /** How many entries the group has read since the stream's first, or {@link UNKNOWN_COUNT}. */
    public entriesRead: Int64,
    private readonly slab: Slab,
  ) {
    this.pending = new IdOrder(slab);
  }

  /** Estimate of all that the group takes. */
  get memoryBytes(): number {
    let bytes = GROUP_OBJECT_BYTES + this.pending.overheadBytes + this.pending.size * PENDING_BYTES;
    for (const consumer of this.consumers.values())
      bytes += CONSUMER_OBJECT_BYTES + consumer.pending.overheadBytes;
    return bytes;
  }

  // ---- consumers ----

  /** Adds a consumer; `number` only when it is known from elsewhere. */
  addConsumer(name: string, seenMs: number, epoch: number, number = this.freeNumber()): Consumer {
    const consumer = new Consumer(name, number, seenMs, this.slab);
    consumer.epoch = epoch;
    this.byNumber[number] = consumer;
    this.consumers.set(name, consumer);
    this.slab.track(CONSUMER_OBJECT_BYTES);
    return consumer;
  }

  private freeNumber(): number {
    while (this.byNumber[this.lowestFree] !== undefined) this.lowestFree++;
    return this.lowestFree;
  }

  numbered(number: number): Consumer | undefined {
    return this.byNumber[number];
  }

  /** Removes a consumer with its pending entries; returns how many those were. */
  removeConsumer(consumer: Consumer, observer: GroupObserver | undefined): number {
    const { size } = consumer.pending;
    observer?.beforeConsumer(this, consumer);
    while (consumer.pending.last !== undefined) {
      observer?.beforePending(this, consumer.pending.last);
      const address = consumer.pending.pop();
      this.pending.remove(consumer.pending.idOf(address));
      this.slab.free(address);
    }
    this.consumers.delete(consumer.name);
    this.byNumber[consumer.number] = undefined;
    this.lowestFree = Math.min(this.lowestFree, consumer.number);
    this.slab.track(-CONSUMER_OBJECT_BYTES);
    return size;
  }

  // ---- pending entries ----

  consumerOf(address: Address): Consumer {
    return this.byNumber[
      this.slab.buffer(address).readUInt32LE(this.slab.offset(address) + CONSUMER_OFFSET)
    ]!;
  }

  /** When the entry was given last: milliseconds. */
  timeOf(address: Address): number {
    return this.slab.buffer(address).readDoubleLE(this.slab.offset(address) + TIME_OFFSET);
  }

  countOf(address: Address): Uint64 {
    const buffer = this.slab.buffer(address);
    const at = this.slab.offset(address) + COUNT_OFFSET;
    const high = buffer.readUInt32LE(at + 4);
    if (high <= Number.MAX_SAFE_INTEGER / 2 ** 32) return high * 2 ** 32 + buffer.readUInt32LE(at);
    return buffer.readBigUInt64LE(at);
  }

  /** Sets when and how often a pending entry was given. */
  stamp(address: Address, timeMs: number, count: Uint64, observer: GroupObserver | undefined): void {
    observer?.beforePending(this, address);
    const buffer = this.slab.buffer(address);
    const at = this.slab.offset(address);
    buffer.writeDoubleLE(timeMs, at + TIME_OFFSET);
    if (typeof count === 'number' && count >= 0) {
      buffer.writeUInt32LE(count >>> 0, at + COUNT_OFFSET);
      buffer.writeUInt32LE(Math.floor(count / 2 ** 32), at + COUNT_OFFSET + 4);
    } else buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(count)), at + COUNT_OFFSET);
  }

  /** Makes an entry, which is not pending, pending for a consumer. */
  addPending(consumer: Consumer, id: StreamId, timeMs: number, count: Uint64, epoch: number): Address {
    const address = this.slab.allocate(PENDING_BYTES);
    const buffer = this.slab.buffer(address);
    const at = this.slab.offset(address);
    buffer.writeUInt32LE(epoch, at);
    buffer.writeUInt32LE(consumer.number, at + CONSUMER_OFFSET);
    writeId(buffer, at + BLOCK_HEADER_BYTES - 16, id);
    this.stamp(address, timeMs, count, undefined);
    this.pending.add(address);
    consumer.pending.add(address);
    return address;
  }

  /** Gives a pending entry to another consumer. */
  movePending(address: Address, consumer: Consumer, observer: GroupObserver | undefined): void {
    const previous = this.consumerOf(address);
    if (previous === consumer) return;
    observer?.beforePending(this, address);
    previous.pending.remove(this.pending.idOf(address));
    this.slab.buffer(address).writeUInt32LE(consumer.number, this.slab.offset(address) + CONSUMER_OFFSET);
    consumer.pending.add(address);
  }

  /** An entry is pending no more; whether it was. */
  removePending(id: StreamId, observer: GroupObserver | undefined): boolean {
    if (observer !== undefined) {
      const found = this.pending.find(id);
      if (found === undefined) return false;
      observer.beforePending(this, found);
    }
    const address = this.pending.remove(id);
    if (address === undefined) return false;
    this.consumerOf(address).pending.remove(id);
    this.slab.free(address);
    return true;
  }

  // ---- after its end ----

  /**
   * Frees at most about `limit` pending entries of a group that no stream holds any more; true when nothing
   * is left.
   */
  dispose(limit: number): boolean {
    let left = limit;
    for (; left > 0 && this.consumers.size > 0; left--) {
      const consumer = this.consumers.get(this.consumers.minKey()!)!;
      while (left > 0 && consumer.pending.size > 0) {
        consumer.pending.pop();
        left--;
      }
      if (consumer.pending.size > 0) return false;
      this.consumers.delete(consumer.name);
      this.slab.track(-CONSUMER_OBJECT_BYTES);
    }
    for (; left > 0 && this.pending.size > 0; left--) this.slab.free(this.pending.pop());
    if (this.consumers.size > 0 || this.pending.size > 0) return false;
    this.slab.track(-GROUP_OBJECT_BYTES);
    return true;
  }

  /** Whether a snapshot still walks it; a walk holds on to what it needs until it has it. */
  readonly isWalked = false;

  /** The first pending entry from `id` on, or undefined. */
  firstFrom(id: StreamId): Address | undefined {
    return this.pending.seekAtLeast(id, place) ? this.pending.at(place) : undefined;
  }
}
