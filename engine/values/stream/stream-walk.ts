/**
 * A stream as pieces: how a snapshot writes it while it goes on changing, and how it is put together again.
 *
 *     header     lengths, ids and counts of the stream as a whole
 *     node       its id and listpack
 *     group      name; number, last id, entries read
 *     consumer   name; group's number, own number, when it was seen
 *     pending    consumer's number, id, time, count; group's number
 *
 * Pieces may come in any order. Each block, group and consumer carries the number of the walk that has it, or
 * that it is too young for: what is about to change and does not is given first. A group that goes during the
 * walk is kept until the walk has it.
 */
import { type Int64, writeInt64 } from '../../numbers/int64.js';
import type { Address, Slab } from '../../storage/slab.js';
import type { PieceSink, ValueWalk } from '../big-value.js';
import { listpackSize } from '../listpack.js';
import type { GonePages } from './gone-pages.js';
import { type ByName, type Consumer, type Group, type GroupObserver, PENDING_BYTES } from './group.js';
import { ID_OFFSET, type IdOrder, OrderPosition } from './id-order.js';
import { listpackStart } from './node.js';
import { ID_BYTES, minId, nextId, type StreamId, writeId } from './stream-id.js';

/** What {@link PieceSink}'s `at` says. */
export const Piece = { header: 0, node: 1, group: 2, consumer: 3, pending: 4 } as const;

/** The stream as a walk sees it. */
export interface StreamParts {
  readonly slab: Slab;
  readonly nodes: IdOrder;
  readonly groups: ByName<Group>;
  readonly length: number;
  readonly lastId: StreamId;
  readonly firstId: StreamId;
  readonly maxDeletedId: StreamId;
  readonly entriesAdded: Int64;
  readonly changedAt: number;
  /** The walk's number. */
  readonly epoch: number;
  readonly pieceCount: number;
}

const noBytes = Buffer.alloc(0);

/** Where a pending entry's piece begins in its block: all but the epoch. */
const PENDING_OFFSET = 4;

function headerBytes(stream: StreamParts): Buffer {
  const bytes = Buffer.alloc(8 + 3 * ID_BYTES + 8 + 8);
  bytes.writeDoubleLE(stream.length, 0);
  writeId(bytes, 8, stream.lastId);
  writeId(bytes, 24, stream.firstId);
  writeId(bytes, 40, stream.maxDeletedId);
  writeInt64(bytes, 56, stream.entriesAdded);
  bytes.writeDoubleLE(stream.changedAt, 64);
  return bytes;
}

const nameBytes = (name: string): Buffer => Buffer.from(name, 'latin1');

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => {
    bytes.writeUInt32LE(value, 4 * i);
  });
  return bytes;
}

function giveNode({ slab }: StreamParts, address: Address, sink: PieceSink): void {
  const buffer = slab.buffer(address);
  const offset = slab.offset(address);
  const start = listpackStart(slab, address);
  sink(Piece.node, buffer.subarray(offset + ID_OFFSET, start + listpackSize(buffer, start)), noBytes);
}

function giveGroup(group: Group, sink: PieceSink): void {
  const bytes = Buffer.alloc(4 + ID_BYTES + 8);
  bytes.writeUInt32LE(group.number, 0);
  writeId(bytes, 4, group.lastId);
  writeInt64(bytes, 4 + ID_BYTES, group.entriesRead);
  sink(Piece.group, nameBytes(group.name), bytes);
}

function giveConsumer(group: Group, consumer: Consumer, sink: PieceSink): void {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(group.number, 0);
  bytes.writeUInt32LE(consumer.number, 4);
  bytes.writeDoubleLE(consumer.seenMs, 8);
  sink(Piece.consumer, nameBytes(consumer.name), bytes);
}

function givePending({ slab }: StreamParts, group: Group, address: Address, sink: PieceSink): void {
  const buffer = slab.buffer(address);
  const offset = slab.offset(address);
  sink(
    Piece.pending,
    buffer.subarray(offset + PENDING_OFFSET, offset + PENDING_BYTES),
    numbers(group.number),
  );
}

/** Gives all pieces of a stream at once. */
export function allPieces(stream: StreamParts, sink: PieceSink): void {
  sink(Piece.header, headerBytes(stream), noBytes);
  const place = new OrderPosition();
  for (let more = stream.nodes.toFirst(place); more; more = stream.nodes.next(place))
    giveNode(stream, stream.nodes.at(place), sink);
  for (const group of stream.groups.values()) {
    giveGroup(group, sink);
    for (const consumer of group.consumers.values()) giveConsumer(group, consumer, sink);
    for (let more = group.pending.toFirst(place); more; more = group.pending.next(place))
      givePending(stream, group, group.pending.at(place), sink);
  }
}

/** Where a walk stands: what it has given in turn lies before. */
type Phase =
  | { readonly kind: 'header' }
  | { readonly kind: 'nodes'; from: StreamId | undefined }
  | { readonly kind: 'trimmed'; addresses: Iterator<Address> | undefined }
  | { readonly kind: 'groups' }
  | { readonly kind: 'consumers'; readonly group: Group; after: string | undefined }
  | { readonly kind: 'pending'; readonly group: Group; from: StreamId | undefined };

export class StreamWalk implements ValueWalk, GroupObserver {
  readonly size: number;
  readonly epoch: number;
  private readonly header: Buffer;
  private phase: Phase = { kind: 'header' };
  /** Name of the group that was walked last. */
  private groupName: string | undefined;
  /** Groups that went before they were walked to their end. */
  private readonly orphans: Group[] = [];
  private orphansWalked = 0;
  /** Nodes that were trimmed away before they were walked. */
  private readonly trimmed: GonePages[] = [];
  private trimmedWalked = 0;
  private readonly place = new OrderPosition();
  private hasEnded = false;

  constructor(
    private readonly stream: StreamParts,
    private readonly sink: PieceSink,
    /** Takes the groups that went meanwhile. */
    private readonly ended: (orphans: readonly Group[]) => void,
  ) {
    this.size = stream.pieceCount;
    this.epoch = stream.epoch;
    this.header = headerBytes(stream);
  }

  // ---- what is about to change ----

  beforeNode(address: Address): void {
    if (this.claim(address)) giveNode(this.stream, address, this.sink);
  }

  beforePending(group: Group, address: Address): void {
    if (this.claim(address)) givePending(this.stream, group, address, this.sink);
  }

  beforeGroup(group: Group): void {
    if (group.epoch === this.epoch) return;
    group.epoch = this.epoch;
    giveGroup(group, this.sink);
  }

  beforeConsumer(group: Group, consumer: Consumer): void {
    if (consumer.epoch === this.epoch) return;
    consumer.epoch = this.epoch;
    giveConsumer(group, consumer, this.sink);
  }

  /** Takes over a group that is no longer the stream's. */
  adopt(group: Group): void {
    this.orphans.push(group);
  }

  /** Holds on to nodes that are no longer the stream's. */
  holdPages(pages: GonePages): void {
    pages.holders++;
    this.trimmed.push(pages);
  }

  /** Marks a block as given; false when it was, or is too young. */
  private claim(address: Address): boolean {
    const buffer = this.stream.slab.buffer(address);
    const offset = this.stream.slab.offset(address);
    if (buffer.readUInt32LE(offset) === this.epoch) return false;
    buffer.writeUInt32LE(this.epoch, offset);
    return true;
  }

  // ---- in turn ----

  step(goOn: () => boolean): boolean {
    while (this.advance()) if (!goOn()) return false;
    this.end();
    return true;
  }

  stop(): void {
    this.end();
  }

  private end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    for (const pages of this.trimmed) pages.holders--;
    this.ended(this.orphans);
  }

  /** Gives one piece, or goes on to where the next ones are; false when there are none. */
  private advance(): boolean {
    const phase: Phase = this.phase;
    switch (phase.kind) {
      case 'header':
        this.sink(Piece.header, this.header, noBytes);
        this.phase = { kind: 'nodes', from: minId };
        return true;
      case 'nodes': {
        const { nodes } = this.stream;
        if (phase.from !== undefined && nodes.seekAtLeast(phase.from, this.place)) {
          const address = nodes.at(this.place);
          phase.from = nextId(nodes.idOf(address));
          this.beforeNode(address);
        } else this.phase = { kind: 'groups' };
        return true;
      }
      case 'trimmed': {
        phase.addresses ??= this.trimmed[this.trimmedWalked++]?.addresses();
        if (phase.addresses === undefined) return false;
        const { value, done } = phase.addresses.next();
        if (done === true) phase.addresses = undefined;
        else this.beforeNode(value);
        return true;
      }
      case 'groups': {
        const group = this.nextGroup();
        if (group === undefined) {
          this.phase = { kind: 'trimmed', addresses: undefined };
          return true;
        }
        this.beforeGroup(group);
        this.phase = { kind: 'consumers', group, after: undefined };
        return true;
      }
      case 'consumers': {
        const { group } = phase;
        const name =
          phase.after === undefined ? group.consumers.minKey() : group.consumers.nextHigherKey(phase.after);
        if (name !== undefined) {
          phase.after = name;
          this.beforeConsumer(group, group.consumers.get(name)!);
        } else this.phase = { kind: 'pending', group, from: minId };
        return true;
      }
      case 'pending': {
        const { group } = phase;
        if (phase.from !== undefined && group.pending.seekAtLeast(phase.from, this.place)) {
          const address = group.pending.at(this.place);
          phase.from = nextId(group.pending.idOf(address));
          this.beforePending(group, address);
        } else this.phase = { kind: 'groups' };
        return true;
      }
    }
  }

  private nextGroup(): Group | undefined {
    const { groups } = this.stream;
    const name = this.groupName === undefined ? groups.minKey() : groups.nextHigherKey(this.groupName);
    if (name === undefined) return this.orphans[this.orphansWalked++];
    this.groupName = name;
    return groups.get(name);
  }
}
