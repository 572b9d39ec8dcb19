/** A big hash or set: a dictionary of its own, fields to values or members to nothing. */

import { View } from '../protocol/view.js';
import { DictionaryWalk } from '../snapshot/dictionary-walk.js';
import { ABSENT, Dictionary, EMPTY_INDEX_BYTES, type HashSeed, type Slot } from '../storage/dictionary.js';
import type { Slab } from '../storage/slab.js';
import type { BigValue, PieceSink, ValueRestorer, ValueWalk } from './big-value.js';

const keyScratch = new View();
const valueScratch = new View();

/** What a table needs of the keyspace it lives in. */
export interface TableHome {
  readonly slab: Slab;
  readonly hashSeed: HashSeed;
}

/** A table's objects, pages and typed arrays, its empty index among them. */
const TABLE_OBJECT_BYTES = 880;

export class Table implements BigValue {
  /**
   * Its slot order is the order of HGETALL, SMEMBERS and their like, and part of the state. Change it through
   * this class only.
   */
  readonly entries: Dictionary;
  private recordBytes = 0;

  constructor(home: TableHome) {
    this.entries = new Dictionary(home.slab, home.hashSeed);
  }

  get size(): number {
    return this.entries.size;
  }

  readonly objectBytes = TABLE_OBJECT_BYTES;

  get memoryBytes(): number {
    return this.recordBytes + this.entries.overheadBytes - EMPTY_INDEX_BYTES + this.objectBytes;
  }

  get elementCount(): number {
    return this.entries.size;
  }

  /** A record's block follows from its lengths. */
  contentBytes(): number {
    return this.recordBytes;
  }

  has(key: View): boolean {
    return this.entries.find(key) !== ABSENT;
  }

  /** Sets the value of `key`; whether the key is new. `value` must not lie in the entry's own record. */
  put(key: View, value: View): boolean {
    const entries = this.entries;
    let slot = entries.find(key);
    const isNew = slot === ABSENT;
    if (isNew) slot = entries.insert(key, value.end - value.start);
    else this.recordBytes -= entries.recordBytes(slot);
    entries.setValue(slot, value);
    this.recordBytes += entries.recordBytes(slot);
    return isNew;
  }

  /** Adds a key without a value; whether it is new. */
  add(key: View): boolean {
    if (this.entries.find(key) !== ABSENT) return false;
    this.recordBytes += this.entries.recordBytes(this.entries.insert(key, 0));
    return true;
  }

  /** Removes `key`; whether it was there. */
  remove(key: View): boolean {
    const slot = this.entries.find(key);
    if (slot === ABSENT) return false;
    this.removeAt(slot);
    return true;
  }

  /** Removes the entry in `slot`; the last entry takes its place. */
  removeAt(slot: Slot): void {
    this.recordBytes -= this.entries.recordBytes(slot);
    this.entries.remove(slot);
  }

  get isWalked(): boolean {
    return this.entries.isWalked;
  }

  dispose(limit: number): boolean {
    return this.entries.dispose(limit) === 0;
  }

  get pieceCount(): number {
    return this.entries.size;
  }

  pieces(sink: PieceSink): void {
    for (let slot = 0; slot < this.entries.size; slot++) this.piece(slot, sink);
  }

  walk(sink: PieceSink): ValueWalk {
    return new DictionaryWalk(this.entries, (slot) => this.piece(slot, sink));
  }

  /** A piece is a slot, its key and its value. */
  private piece(slot: Slot, sink: PieceSink): void {
    const key = this.entries.key(slot, keyScratch);
    const value = this.entries.value(slot, valueScratch);
    sink(slot, key.buffer.subarray(key.start, key.end), value.buffer.subarray(value.start, value.end));
  }

  /** Takes a table of `size` entries over from its pieces, each into the slot that it had. */
  static restorer(home: TableHome, size: number): ValueRestorer {
    const table = new Table(home);
    const key = new View();
    const value = new View();
    let missing = size;
    return {
      piece(at, first, second) {
        if (!(Number.isInteger(at) && at >= 0 && at < size)) throw new Error(`slot ${at} of ${size}`);
        table.entries.restore(at, key.on(first, 0, first.length), value.on(second, 0, second.length));
        table.recordBytes += table.entries.recordBytes(at);
        missing--;
      },
      isComplete: () => missing === 0,
      finish() {
        if (missing !== 0) throw new Error(`${missing} of ${size} entries are missing`);
        table.entries.size = size;
        return table;
      },
    };
  }
}
