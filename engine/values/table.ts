/** A big hash or set: a dictionary of its own, fields to values or members to nothing. */
import { ABSENT, Dictionary, type HashSeed, type Slot } from '../dictionary.js';
import type { Slab } from '../slab.js';
import { View } from '../view.js';
import type { BigValue } from './big-value.js';

/** What a table needs of the keyspace it lives in. */
export interface TableHome {
  readonly slab: Slab;
  readonly hashSeed: HashSeed;
}

const noBytes = new View();

export class Table implements BigValue {
  /** Its slot order is the order of HGETALL, SMEMBERS and their like, and part of the state. Change it through this class only. */
  readonly entries: Dictionary;
  private recordBytes = 0;

  constructor(home: TableHome) {
    this.entries = new Dictionary(home.slab, home.hashSeed);
  }

  get size(): number {
    return this.entries.size;
  }

  get memoryBytes(): number {
    return this.recordBytes + this.entries.overheadBytes + 128;
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

  /** Puts an entry where it was in the table that is being restored. Slots may come in any order; {@link restored} ends it. */
  restore(slot: Slot, key: View, value: View = noBytes): void {
    this.entries.restore(slot, key, value);
    this.recordBytes += this.entries.recordBytes(slot);
  }

  /** Declares that slots 0 .. size - 1 have all been restored. */
  restored(size: number): void {
    this.entries.size = size;
  }

  dispose(limit: number): boolean {
    return this.entries.dispose(limit) === 0;
  }
}
