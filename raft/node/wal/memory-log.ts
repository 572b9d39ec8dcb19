/**
 * The log of a node without files. What is appended is persisted at once, within the call, so that a single
 * node commits and applies in the same turn; nothing of it survives the process, which therefore must not
 * come back under the same id.
 */
import type { Entry, HardState, SnapshotMetadata } from '../../types.js';
import { cachedEntries, EntryCache } from './entry-cache.js';
import type { NodeLog } from './node-log.js';
import { TermRuns } from './term-runs.js';

export class MemoryLog implements NodeLog {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };

  private readonly terms = new TermRuns();
  private readonly cache = new EntryCache();

  constructor(private metadata: SnapshotMetadata) {
    this.terms.reset(metadata.index + 1, metadata.term);
    this.cache.clear(metadata.index + 1);
  }

  get bytes(): number {
    return this.cache.bytes;
  }

  firstIndex(): number {
    return this.terms.first;
  }

  lastIndex(): number {
    return this.terms.last;
  }

  term(index: number): number | undefined {
    return this.terms.term(index);
  }

  snapshot(): SnapshotMetadata {
    return this.metadata;
  }

  entries(low: number, high: number, maxBytes: number): readonly Entry[] {
    if (low < this.terms.first || high > this.terms.last + 1) {
      throw new RangeError(
        `entries ${low} to ${high} of a log from ${this.terms.first} to ${this.terms.last}`,
      );
    }
    const found: Entry[] = [];
    cachedEntries(this.cache, low, high, maxBytes, found);
    return found;
  }

  append(hardState: HardState | undefined, entries: readonly Entry[], done?: () => void): void {
    if (hardState !== undefined) this.hardState = hardState;
    for (const entry of entries) {
      this.terms.append(entry.index, 1, entry.term);
      this.cache.push(entry);
    }
    done?.();
  }

  reset(metadata: SnapshotMetadata, done?: () => void): void {
    this.metadata = metadata;
    this.terms.reset(metadata.index + 1, metadata.term);
    this.cache.clear(metadata.index + 1);
    done?.();
  }

  setSnapshot(metadata: SnapshotMetadata): void {
    this.metadata = metadata;
  }

  compact(index: number, keepBytes: number): void {
    this.cache.evict(keepBytes, index);
    this.terms.dropBefore(this.cache.first);
  }

  async makeDurable(): Promise<void> {}

  setDurability(): void {}

  async close(): Promise<void> {}
}
