/** Walks the live entries of a stream between two ids, in either direction. */
import type { Reply } from '../../protocol/reply.js';
import { View } from '../../protocol/view.js';
import type { Slab } from '../../storage/slab.js';
import { listpackAfter, listpackSize } from '../listpack.js';
import { type Digits, listpackReply, listpackView } from '../packed.js';
import { ID_OFFSET, type IdOrder, OrderPosition } from './id-order.js';
import { EntryPlace, entryBefore, listpackStart, Master } from './node.js';
import { compareIds, formatId, minId, readId, type StreamId } from './stream-id.js';

/** Where a cursor stood, to go on from there: good while the stream's shape is the same. */
export interface EntryMark {
  readonly shape: number;
  readonly address: number;
  /** Of the next entry, from the start of the node's listpack. */
  readonly offset: number;
}

/** Where entries lie. */
export interface EntrySource {
  readonly slab: Slab;
  readonly nodes: IdOrder;
  readonly shape: number;
}

export class StreamCursor {
  private stream!: EntrySource;
  private from: StreamId = minId;
  private to: StreamId = minId;
  private isReverse = false;
  private readonly position = new OrderPosition();
  private isOpen = false;
  private buffer!: Buffer;
  /** Of the node's listpack. */
  private start = 0;
  private end = 0;
  private nodeId: StreamId = minId;
  private readonly master = new Master();
  private firstEntry = 0;
  /** Forward: where the next entry begins. In reverse: where the previous one ends. */
  private at = 0;
  private readonly entry = new EntryPlace();
  /** The master's fields as replies, made when first asked for. */
  private masterFields: Reply[] | undefined;

  /**
   * Stands before the first entry from `from` to `to`, both included, or in reverse from `to` to `from`.
   * Nothing may change meanwhile.
   */
  open(stream: EntrySource, from: StreamId, to: StreamId, isReverse: boolean): this {
    this.stream = stream;
    this.from = from;
    this.to = to;
    this.isReverse = isReverse;
    const { nodes } = stream;
    const { position } = this;
    this.isOpen =
      compareIds(from, to) <= 0 &&
      (isReverse
        ? nodes.seekAtMost(to, position)
        : nodes.seekAtMost(from, position) || nodes.toFirst(position));
    if (this.isOpen) this.enter();
    return this;
  }

  /**
   * {@link open} forward to the end, from where another walk stood, if all before its place lie before
   * `from`.
   */
  openBehind(stream: EntrySource, from: StreamId, to: StreamId, mark: EntryMark | undefined): this {
    this.open(stream, from, to, false);
    if (mark !== undefined && this.isOpen && mark.shape === stream.shape) {
      if (stream.nodes.at(this.position) === mark.address) this.at = this.start + mark.offset;
    }
    return this;
  }

  /** Where the next entry is, for {@link openBehind}. Only of a walk forward that has not come to its end. */
  mark(): EntryMark {
    const { nodes, shape } = this.stream;
    return { shape, address: nodes.at(this.position), offset: this.at - this.start };
  }

  private enter(): void {
    const { slab, nodes } = this.stream;
    const address = nodes.at(this.position);
    this.buffer = slab.buffer(address);
    this.start = listpackStart(slab, address);
    this.end = this.start + listpackSize(this.buffer, this.start) - 1;
    this.nodeId = readId(this.buffer, slab.offset(address) + ID_OFFSET);
    this.master.read(this.buffer, this.start);
    this.masterFields = undefined;
    this.firstEntry = this.master.firstEntry(this.buffer);
    this.at = this.isReverse ? this.end : this.firstEntry;
  }

  /** Goes to the next live entry; false behind the last. */
  next(): boolean {
    return this.isReverse ? this.goBack() : this.goOn();
  }

  private goOn(): boolean {
    const { entry } = this;
    while (this.isOpen) {
      if (this.at === this.end) {
        this.isOpen = this.stream.nodes.next(this.position);
        if (this.isOpen) this.enter();
        continue;
      }
      entry.read(this.buffer, this.at, this.nodeId, this.master);
      if (compareIds(entry, this.to) > 0) break;
      this.at = entry.after(this.buffer);
      if (!entry.isDeleted && compareIds(entry, this.from) >= 0) return true;
    }
    this.isOpen = false;
    return false;
  }

  private goBack(): boolean {
    const { entry } = this;
    while (this.isOpen) {
      if (this.at === this.firstEntry) {
        this.isOpen = this.stream.nodes.previous(this.position);
        if (this.isOpen) this.enter();
        continue;
      }
      this.at = entryBefore(this.buffer, this.start, this.at);
      entry.read(this.buffer, this.at, this.nodeId, this.master);
      if (compareIds(entry, this.from) < 0) break;
      if (!entry.isDeleted && compareIds(entry, this.to) <= 0) return true;
    }
    this.isOpen = false;
    return false;
  }

  /** The entry's id. */
  get id(): StreamId {
    return { ms: this.entry.ms, seq: this.entry.seq };
  }

  /**
   * The entry as commands reply it: its id, and fields and values in turn. Views in it are good until the
   * stream changes.
   */
  reply(): Reply {
    return [formatId(this.entry), this.fields()];
  }

  /** Fields and values in turn. */
  fields(): Reply[] {
    const { buffer, entry } = this;
    const items: Reply[] = new Array(2 * entry.fieldCount);
    let at = entry.contentAt;
    if (entry.isSame) {
      this.masterFields ??= this.readMasterFields();
      for (let i = 0; i < entry.fieldCount; i++) {
        items[2 * i] = this.masterFields[i];
        items[2 * i + 1] = listpackReply(buffer, at, new View(), this.stream.slab);
        at = listpackAfter(buffer, at);
      }
      return items;
    }
    for (let i = 0; i < items.length; i++) {
      items[i] = listpackReply(buffer, at, new View(), this.stream.slab);
      at = listpackAfter(buffer, at);
    }
    return items;
  }

  /** Shows fields and values in turn, each until the next. */
  eachText(view: View, digits: Digits, visit: (text: View) => void): void {
    const { buffer, entry } = this;
    let at = entry.contentAt;
    let fieldAt = this.master.fieldsAt;
    for (let i = 0; i < entry.fieldCount; i++) {
      visit(listpackView(buffer, entry.isSame ? fieldAt : at, view, digits));
      if (entry.isSame) fieldAt = listpackAfter(buffer, fieldAt);
      else at = listpackAfter(buffer, at);
      visit(listpackView(buffer, at, view, digits));
      at = listpackAfter(buffer, at);
    }
  }

  private readMasterFields(): Reply[] {
    const fields: Reply[] = [];
    let at = this.master.fieldsAt;
    for (let i = 0; i < this.master.fieldCount; i++) {
      fields.push(listpackReply(this.buffer, at, new View(), this.stream.slab));
      at = listpackAfter(this.buffer, at);
    }
    return fields;
  }
}
