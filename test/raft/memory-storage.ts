/** A log in memory that stands for what a node has on disk. */
import assert from 'node:assert/strict';
import type { Entry, HardState, LogStorage, SnapshotMetadata } from '../../raft/index.js';

export class MemoryStorage implements LogStorage {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  #snapshot: SnapshotMetadata;
  #entries: Entry[] = [];
  /** Index and term of the compacted predecessor. */
  #base: { index: number; term: number };

  constructor(snapshot: SnapshotMetadata) {
    this.#snapshot = snapshot;
    this.#base = { index: snapshot.index, term: snapshot.term };
  }

  firstIndex(): number {
    return this.#base.index + 1;
  }

  lastIndex(): number {
    return this.#base.index + this.#entries.length;
  }

  term(index: number): number | undefined {
    return index === this.#base.index ? this.#base.term : this.#entries[index - this.#base.index - 1]?.term;
  }

  entries(low: number, high: number, maxBytes: number): readonly Entry[] {
    assert(
      low >= this.firstIndex() && high <= this.lastIndex() + 1 && low < high,
      `entries ${low} to ${high}`,
    );
    let end = low;
    let bytes = 0;
    while (end < high) {
      bytes += this.#at(end).payload.length;
      if (bytes > maxBytes && end > low) break;
      end++;
    }
    return this.#entries.slice(low - this.firstIndex(), end - this.firstIndex());
  }

  snapshot(): SnapshotMetadata {
    return this.#snapshot;
  }

  #at(index: number): Entry {
    const entry = this.#entries[index - this.firstIndex()];
    assert(entry !== undefined, `no entry ${index}`);
    return entry;
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(
        entry.index >= this.firstIndex() && entry.index <= this.lastIndex() + 1,
        `gap before ${entry.index}`,
      );
      this.#entries.length = entry.index - this.firstIndex();
      this.#entries.push(entry);
    }
  }

  /** Takes the place of the whole log. */
  install(snapshot: SnapshotMetadata): void {
    this.#snapshot = snapshot;
    this.#base = { index: snapshot.index, term: snapshot.term };
    this.#entries = [];
  }

  /** Notes a snapshot that the state machine cut; the log stays. */
  cut(snapshot: SnapshotMetadata): void {
    assert(snapshot.index >= this.#snapshot.index);
    this.#snapshot = snapshot;
  }

  /** Drops the entries up to `index`, which a snapshot covers. */
  compact(index: number): void {
    assert(index <= this.#snapshot.index && index >= this.#base.index, `compact ${index}`);
    const term = this.term(index);
    assert(term !== undefined);
    this.#entries = this.#entries.slice(index - this.#base.index);
    this.#base = { index, term };
  }

  all(): readonly Entry[] {
    return this.#entries;
  }
}
