/**
 * The nodes of a stream as they were at one instant, in the order of their ids, while it goes on changing.
 *
 * What is about to change and has not been given is copied first. Nodes that are trimmed away by whole pages
 * are held until the walk has them. Nodes behind the last one of that instant are none of the walk's.
 */
import type { Address, Slab } from '../../storage/slab.js';
import { listpackSize } from '../listpack.js';
import type { GonePages } from './gone-pages.js';
import { ByName } from './group.js';
import { ID_OFFSET, type IdOrder, OrderPosition } from './id-order.js';
import { listpackStart } from './node.js';
import { compareIds, ID_BYTES, minId, nextId, readId, type StreamId } from './stream-id.js';

/** Takes a node: buffer[idAt] begins its id, buffer[start, end) is its listpack. A view, void afterwards. */
export type NodeSink = (buffer: Buffer, idAt: number, start: number, end: number) => void;

export class NodesWalk {
  /** No node before this id is still to be given; undefined when none is. */
  private from: StreamId | undefined = minId;
  private readonly last: StreamId | undefined;
  /** Id and listpack of nodes that changed before their turn, by the bytes of the id. */
  private readonly early = new ByName<Buffer>();
  private readonly gone: { readonly pages: GonePages; readonly rest: Iterator<Address>; next?: Address }[] =
    [];
  private readonly place = new OrderPosition();
  private readonly slab: Slab;
  private readonly nodes: IdOrder;

  constructor(
    stream: { readonly slab: Slab; readonly nodes: IdOrder },
    private readonly sink: NodeSink,
    private readonly ended: () => void,
  ) {
    this.slab = stream.slab;
    this.nodes = stream.nodes;
    this.last = this.nodes.last === undefined ? undefined : this.nodes.idOf(this.nodes.last);
  }

  // ---- what is about to change ----

  beforeNode(address: Address): void {
    const id = this.nodes.idOf(address);
    if (!this.isOwed(id)) return;
    const buffer = this.slab.buffer(address);
    const at = this.slab.offset(address) + ID_OFFSET;
    const name = buffer.latin1Slice(at, at + ID_BYTES);
    if (this.early.has(name)) return;
    const start = listpackStart(this.slab, address);
    this.early.set(name, Buffer.from(buffer.subarray(at, start + listpackSize(buffer, start))));
  }

  /** Holds on to nodes that are no longer the stream's: all before those that are left. */
  holdPages(pages: GonePages): void {
    pages.holders++;
    const rest = pages.addresses();
    this.gone.push({ pages, rest, next: rest.next().value });
  }

  private isOwed(id: StreamId): boolean {
    if (this.from === undefined || this.last === undefined) return false;
    return compareIds(id, this.from) >= 0 && compareIds(id, this.last) <= 0;
  }

  // ---- in turn ----

  /** Gives nodes while `goOn` says so, and one at least; true when all were given. */
  step(goOn: () => boolean): boolean {
    while (this.advance()) if (!goOn()) return false;
    this.stop();
    return true;
  }

  /** Ends the walk, early or not. */
  stop(): void {
    for (const { pages } of this.gone.splice(0)) pages.holders--;
    this.from = undefined;
    this.ended();
  }

  /** Gives a node; false when there is none. */
  private advance(): boolean {
    const address = this.nextAddress();
    const changed = this.early.minKey();
    if (changed !== undefined) {
      const bytes = this.early.get(changed)!;
      const id = readId(bytes, 0);
      if (address === undefined || compareIds(id, this.nodes.idOf(address)) <= 0) {
        this.early.delete(changed);
        this.from = nextId(id);
        this.sink(bytes, 0, ID_BYTES, bytes.length);
        return true;
      }
    }
    if (address === undefined) return false;
    const buffer = this.slab.buffer(address);
    const start = listpackStart(this.slab, address);
    this.from = nextId(this.nodes.idOf(address));
    this.sink(buffer, this.slab.offset(address) + ID_OFFSET, start, start + listpackSize(buffer, start));
    return true;
  }

  /** The first node, as it lies there, that is still to be given. */
  private nextAddress(): Address | undefined {
    for (let gone = this.gone[0]; gone !== undefined; gone = this.gone[0]) {
      for (; gone.next !== undefined; gone.next = gone.rest.next().value)
        if (this.isOwed(this.nodes.idOf(gone.next))) return gone.next;
      gone.pages.holders--;
      this.gone.shift();
    }
    if (this.from === undefined || !this.nodes.seekAtLeast(this.from, this.place)) return undefined;
    const address = this.nodes.at(this.place);
    return this.isOwed(this.nodes.idOf(address)) ? address : undefined;
  }
}
