/**
 * The order of a big sorted set: a B+ tree whose keys are the addresses of the members' records in the slab,
 * so that a member costs no object.
 *
 * A record's value is the 8 bytes of its score (little-endian double). Its address stays good while the
 * member lives: a score never changes its length. A record must leave the tree before its score changes or it
 * is freed, for the tree reads records whenever it compares.
 *
 * The order is Redis's: by score, then by the member's bytes. The tree's shape depends on its history, so
 * nothing that is answered may depend on it: only on the order.
 */
import { compareBytes, View } from '../protocol/view.js';
import { keyOfRecord } from '../storage/dictionary.js';
import type { Address, Slab } from '../storage/slab.js';
import { BTree } from './btree.js';

/** What a record takes in the nodes, their spare room included (measured). */
export const ORDER_BYTES_PER_RECORD = 16;

/** Elements of a node. */
const NODE_SIZE = 64;

/**
 * A node as sorted-btree 2.1 lays it out: inner nodes have children, and keep the number of elements below
 * them.
 */
interface Node {
  readonly keys: readonly Address[];
  readonly children?: readonly Node[];
  size(): number;
}

/** The score in the record at `address`. */
export function scoreOfRecord(slab: Slab, address: Address): number {
  const buffer = slab.buffer(address);
  const offset = slab.offset(address);
  const length = buffer[offset];
  // The value's length, always 8, is one byte.
  return buffer.readDoubleLE(
    length === 255 ? offset + 6 + buffer.readUInt32LE(offset + 1) : offset + 2 + length,
  );
}

const member = new View();

/** Compares records; the one that an operation is about is decoded once. */
class RecordComparator {
  private probe: Address = 0;
  private score = 0;
  private readonly member = new View();

  constructor(private readonly slab: Slab) {}

  load(address: Address): void {
    this.probe = address;
    this.score = scoreOfRecord(this.slab, address);
    keyOfRecord(this.slab, address, this.member);
  }

  /** Where `address` lies from the loaded record: negative, 0 or positive. */
  compareToProbe(address: Address): number {
    if (address === this.probe) return 0;
    const score = scoreOfRecord(this.slab, address);
    if (score !== this.score) return score < this.score ? -1 : 1;
    keyOfRecord(this.slab, address, member);
    const probe = this.member;
    return compareBytes(member.buffer, member.start, member.end, probe.buffer, probe.start, probe.end);
  }

  compare(a: Address, b: Address): number {
    if (b !== this.probe) this.load(b);
    return this.compareToProbe(a);
  }
}

export class ScoreOrder extends BTree<Address, undefined> {
  private readonly comparator: RecordComparator;

  constructor(private readonly slab: Slab) {
    const comparator = new RecordComparator(slab);
    super(undefined, (a, b) => comparator.compare(a, b), NODE_SIZE);
    this.comparator = comparator;
  }

  private get root(): Node {
    return (this as unknown as { _root: Node })._root;
  }

  /** Adds a record that is not in the order. */
  add(address: Address): void {
    this.comparator.load(address);
    this.set(address, undefined);
    this.slab.track(ORDER_BYTES_PER_RECORD);
  }

  /** Takes a record out. */
  remove(address: Address): void {
    this.comparator.load(address);
    this.delete(address);
    this.slab.track(-ORDER_BYTES_PER_RECORD);
  }

  override clear(): void {
    this.slab.track(-ORDER_BYTES_PER_RECORD * this.size);
    super.clear();
  }

  /** How many records come before the one at `address`, which is in the order. O(log n). */
  rank(address: Address): number {
    this.comparator.load(address);
    return this.countWhile((other) => this.comparator.compareToProbe(other) < 0);
  }

  /**
   * How many records from the first on satisfy `holds`, which must hold for all of them and for none behind.
   * O(log n).
   */
  countWhile(holds: (address: Address) => boolean): number {
    let node = this.root;
    let count = 0;
    for (;;) {
      const { keys, children } = node;
      let low = 0;
      let high = keys.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (holds(keys[middle])) low = middle + 1;
        else high = middle;
      }
      if (children === undefined) return count + low;
      // A child's key is its greatest element: those before `low` satisfy throughout.
      for (let i = 0; i < low; i++) count += children[i].size();
      if (low === children.length) return count;
      node = children[low];
    }
  }

  /** The record of a rank, 0 being the least; the rank must be inside. O(log n). */
  at(rank: number): Address {
    return this.leafAt(rank)[this.leafIndex];
  }

  /** Where in the leaf that {@link leafAt} gave last its rank lies. */
  leafIndex = 0;

  /**
   * The leaf's records among which a rank lies, in order, at {@link leafIndex}. Void after the next change.
   */
  leafAt(rank: number): readonly Address[] {
    let node = this.root;
    let left = rank;
    while (node.children !== undefined) {
      let child = 0;
      for (let size = node.children[0].size(); left >= size; size = node.children[child].size()) {
        left -= size;
        child++;
      }
      node = node.children[child];
    }
    this.leafIndex = left;
    return node.keys;
  }
}
