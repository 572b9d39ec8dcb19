/** A big sorted set: a dictionary of members with their scores, and the order of its records. */

import { View } from '../protocol/view.js';
import { DictionaryWalk } from '../snapshot/dictionary-walk.js';
import { ABSENT, Dictionary, EMPTY_INDEX_BYTES, keyOfRecord, type Slot } from '../storage/dictionary.js';
import type { Slab } from '../storage/slab.js';
import type { BigValue, PieceSink, ValueRestorer, ValueWalk } from './big-value.js';
import { ORDER_BYTES_PER_RECORD, ScoreOrder, scoreOfRecord } from './score-order.js';
import type { TableHome } from './table.js';

const SCORE_BYTES = 8;

const bytes = new View();
const pieceMember = new View();
const pieceScore = new View();

/** A table's objects, pages and typed arrays, its empty index and the root of the order among them. */
const TABLE_OBJECT_BYTES = 1024;

export class ScoredTable implements BigValue {
  /**
   * Its slot order is the order of ZSCAN and ZRANDMEMBER, and part of the state. Change it through this class
   * only.
   */
  readonly members: Dictionary;
  readonly order: ScoreOrder;
  private recordBytes = 0;

  constructor(home: TableHome) {
    this.members = new Dictionary(home.slab, home.hashSeed);
    this.order = new ScoreOrder(home.slab);
  }

  get slab(): Slab {
    return this.members.slab;
  }

  get size(): number {
    return this.members.size;
  }

  readonly objectBytes = TABLE_OBJECT_BYTES;

  get memoryBytes(): number {
    const index = this.members.overheadBytes - EMPTY_INDEX_BYTES;
    return this.recordBytes + index + this.size * ORDER_BYTES_PER_RECORD + this.objectBytes;
  }

  get elementCount(): number {
    return this.size;
  }

  /** A record's block follows from its lengths. */
  contentBytes(): number {
    return this.recordBytes;
  }

  scoreAt(slot: Slot): number {
    return scoreOfRecord(this.slab, this.members.address(slot));
  }

  /** The score of `member`, or undefined. */
  score(member: View): number | undefined {
    const slot = this.members.find(member);
    return slot === ABSENT ? undefined : this.scoreAt(slot);
  }

  /** Adds a member, known to be absent. */
  insert(member: View, score: number): void {
    this.order.add(this.members.address(this.insertUnordered(member, score)));
  }

  /** Changes the score of the member in `slot`. */
  update(slot: Slot, score: number): void {
    const address = this.members.address(slot);
    this.order.remove(address);
    this.updateUnordered(slot, score);
    this.order.add(address);
  }

  /** Removes the member in `slot`; the last slot's takes its place. */
  removeAt(slot: Slot): void {
    this.order.remove(this.members.address(slot));
    this.removeUnordered(slot);
  }

  /** Removes the members of ranks `from` to `to - 1`. O(log n) each. */
  removeRanks(from: number, to: number): void {
    for (let left = to - from; left > 0; left--) {
      this.removeAt(this.members.find(keyOfRecord(this.slab, this.order.at(from), bytes)));
    }
  }

  // ---- putting a table together whose order is made at the end ----

  /** {@link insert} without the order. */
  insertUnordered(member: View, score: number): Slot {
    const slot = this.members.insert(member, SCORE_BYTES);
    this.recordBytes += this.members.recordBytes(slot);
    this.updateUnordered(slot, score);
    return slot;
  }

  /** {@link update} without the order. */
  updateUnordered(slot: Slot, score: number): void {
    this.members.valueForWrite(slot, bytes);
    bytes.buffer.writeDoubleLE(score, bytes.start);
  }

  /** {@link removeAt} without the order. */
  removeUnordered(slot: Slot): void {
    this.recordBytes -= this.members.recordBytes(slot);
    this.members.remove(slot);
  }

  /** Makes the order of a table that has none yet. */
  orderAll(): void {
    for (let slot = 0; slot < this.size; slot++) this.order.add(this.members.address(slot));
  }

  // ---- as a big value ----

  get isWalked(): boolean {
    return this.members.isWalked;
  }

  dispose(limit: number): boolean {
    // First of all: the order must not outlive its records.
    this.order.clear();
    return this.members.dispose(limit) === 0;
  }

  get pieceCount(): number {
    return this.size;
  }

  pieces(sink: PieceSink): void {
    for (let slot = 0; slot < this.size; slot++) this.piece(slot, sink);
  }

  walk(sink: PieceSink): ValueWalk {
    return new DictionaryWalk(this.members, (slot) => this.piece(slot, sink));
  }

  /** A piece is a slot, its member and its score's bytes. */
  private piece(slot: Slot, sink: PieceSink): void {
    const member = this.members.key(slot, pieceMember);
    const score = this.members.value(slot, pieceScore);
    sink(
      slot,
      member.buffer.subarray(member.start, member.end),
      score.buffer.subarray(score.start, score.end),
    );
  }

  /** Takes a sorted set of `size` members over from its pieces, each into the slot that it had. */
  static restorer(home: TableHome, size: number): ValueRestorer {
    const table = new ScoredTable(home);
    const member = new View();
    const score = new View();
    let missing = size;
    return {
      piece(at, first, second) {
        if (!(Number.isInteger(at) && at >= 0 && at < size)) throw new Error(`slot ${at} of ${size}`);
        if (second.length !== SCORE_BYTES || Number.isNaN(second.readDoubleLE(0)))
          throw new Error(`no score in slot ${at}`);
        table.members.restore(at, member.on(first, 0, first.length), score.on(second, 0, second.length));
        table.recordBytes += table.members.recordBytes(at);
        // Now, piece by piece: no slice of an installation pays for the order of a million members.
        table.order.add(table.members.address(at));
        missing--;
      },
      isComplete: () => missing === 0,
      finish() {
        if (missing !== 0) throw new Error(`${missing} of ${size} members are missing`);
        table.members.size = size;
        return table;
      },
    };
  }
}
