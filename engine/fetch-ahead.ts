/**
 * Fetches what the next commands of an entry will look up, before the first of them runs: in a large database
 * each lookup waits for memory several times, and these waits overlap. No part of the state.
 */
import type { EntryReader } from './log/entry.js';
import { FETCHED_MAX } from './storage/dictionary.js';
import type { Keyspace } from './storage/keyspace.js';

/** A smaller database lies in the processor's caches: looking ahead would cost more than it saves. */
const SIZE_MIN = 16_384;
/** Hashing a longer key costs more than its wait. */
const KEY_BYTES_MAX = 64;

export class FetchAhead {
  private readonly offsets = new Int32Array(2 * FETCHED_MAX);
  /** What was read, so that it is. */
  read = 0;

  constructor(private readonly keyspace: Keyspace) {}

  /** To be called before each item of an entry, the `ordinal`th of `itemCount`. */
  beforeItem(entry: EntryReader, ordinal: number): void {
    if (ordinal % FETCHED_MAX !== 0 || entry.itemCount - ordinal < 2) return;
    if (this.keyspace.sizeOf(entry.nextDatabase) < SIZE_MIN) return;
    const count = entry.argumentsAhead(FETCHED_MAX, KEY_BYTES_MAX, this.offsets);
    const database = this.keyspace.database(entry.nextDatabase);
    if (count > 1) this.read = database.fetch(entry.buffer, this.offsets, count);
  }
}
