/**
 * The log as the core sees it: what the body has made durable, followed by the tail that is still on its way
 * to disk.
 *
 * snapshot <= applied <= delivered <= committed <= lastIndex, and delivered <= persistedIndex.
 */
import { invariant } from './invariant.js';
import type { Entry, LogStorage, SnapshotMetadata } from './types.js';

const noEntries: readonly Entry[] = [];

/** Counted for each entry on top of its payload, for index, term and kind. */
export const entryOverheadBytes = 16;

export function entryBytes(entry: Entry): number {
  return entry.payload.length + entryOverheadBytes;
}

/** A Ready that was handed to the body and is not yet durable. */
interface Write {
  readonly sequence: number;
  /** The last of its entries that is still part of the log. */
  lastIndex: number;
  readonly snapshot: SnapshotMetadata | undefined;
}

export class Log {
  committed: number;
  /** Handed out as committed. */
  delivered: number;
  applied: number;
  readonly #storage: LogStorage;
  /** Everything below is in the storage, or behind the snapshot that is being installed. */
  #offset: number;
  #tail: Entry[] = [];
  /** Next index that a Ready has not carried yet. */
  #handOutFrom: number;
  /** Accepted and not yet durable: hides whatever the storage holds. */
  #snapshot: SnapshotMetadata | undefined;
  #snapshotHandedOut = false;
  /** The state machine has not taken the snapshot in yet: nothing can be applied on top of it. */
  #installing: SnapshotMetadata | undefined;
  #writes: Write[] = [];

  constructor(storage: LogStorage, committed: number, applied: number) {
    this.#storage = storage;
    const snapshotIndex = storage.snapshot().index;
    const last = storage.lastIndex();
    invariant(
      applied >= snapshotIndex && applied <= last,
      `applied index ${applied} outside the log ${snapshotIndex}..${last}`,
    );
    invariant(
      committed <= last,
      `commit index ${committed} beyond the last entry ${last}: the log lost its end`,
    );
    this.committed = Math.max(committed, applied);
    this.delivered = applied;
    this.applied = applied;
    this.#offset = last + 1;
    this.#handOutFrom = this.#offset;
  }

  firstIndex(): number {
    return this.#snapshot === undefined ? this.#storage.firstIndex() : this.#snapshot.index + 1;
  }

  lastIndex(): number {
    return this.#offset + this.#tail.length - 1;
  }

  lastTerm(): number {
    const term = this.term(this.lastIndex());
    invariant(term !== undefined, `no term for the last entry ${this.lastIndex()}`);
    return term;
  }

  /** Durable here, up to and including. */
  persistedIndex(): number {
    return this.#snapshot === undefined ? this.#offset - 1 : 0;
  }

  /** The snapshot that is not both on disk and in the state machine yet. */
  get installing(): SnapshotMetadata | undefined {
    return this.#installing ?? this.#snapshot;
  }

  snapshot(): SnapshotMetadata {
    return this.#storage.snapshot();
  }

  /** Term of the entry at `index`; undefined if it is compacted or not there yet. */
  term(index: number): number | undefined {
    if (index >= this.#offset) return this.#tail[index - this.#offset]?.term;
    if (this.#snapshot !== undefined) return index === this.#snapshot.index ? this.#snapshot.term : undefined;
    return this.#storage.term(index);
  }

  matches(index: number, term: number): boolean {
    return index === 0 ? term === 0 : this.term(index) === term;
  }

  /** Whether a log that ends so is at least as complete as this one (Raft paper, 5.4.1). */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    const ownTerm = this.lastTerm();
    return lastTerm > ownTerm || (lastTerm === ownTerm && lastIndex >= this.lastIndex());
  }

  /**
   * Entries from `low` up to but not including `high`, at least one, cut where they exceed `maxBytes`.
   *
   * @returns undefined if some of them are compacted
   */
  entries(low: number, high: number, maxBytes: number): readonly Entry[] | undefined {
    if (low < this.firstIndex()) return undefined;
    invariant(
      high <= this.lastIndex() + 1,
      `entries up to ${high} of a log that ends at ${this.lastIndex()}`,
    );
    if (low >= high) return noEntries;
    if (low >= this.#offset) return this.#tailEntries(low, high, maxBytes);
    const stored = this.#storage.entries(low, Math.min(high, this.#offset), maxBytes);
    invariant(
      stored.length > 0 && stored[0]!.index === low,
      `storage returned ${stored.length} entries from ${stored[0]?.index} instead of ${low}`,
    );
    // The storage counts payloads only.
    let bytes = 0;
    for (let count = 0; count < stored.length; count++) {
      bytes += entryBytes(stored[count]!);
      if (bytes > maxBytes && count > 0) return stored.slice(0, count);
    }
    if (high <= this.#offset || low + stored.length < this.#offset) return stored;
    if (bytes + entryBytes(this.#tail[0]!) > maxBytes) return stored;
    return [...stored, ...this.#tailEntries(this.#offset, high, maxBytes - bytes)];
  }

  #tailEntries(low: number, high: number, maxBytes: number): readonly Entry[] {
    const start = low - this.#offset;
    const limit = high - this.#offset;
    let end = start;
    let bytes = 0;
    while (end < limit) {
      bytes += entryBytes(this.#tail[end]!);
      if (bytes > maxBytes && end > start) break;
      end++;
    }
    return this.#tail.slice(start, end);
  }

  /** Appends entries that follow the last one: a leader's own. */
  append(entry: Entry): void {
    invariant(
      entry.index === this.lastIndex() + 1,
      `entry ${entry.index} appended to a log that ends at ${this.lastIndex()}`,
    );
    invariant(
      entry.term >= this.lastTerm(),
      `entry of term ${entry.term} appended behind one of term ${this.lastTerm()}`,
    );
    this.#tail.push(entry);
  }

  /**
   * Removes every entry from `index` on, to make room for the leader's (Raft paper, 5.3).
   */
  truncateFrom(index: number): void {
    invariant(
      index > this.committed,
      `committed entry ${index} would be overwritten (commit ${this.committed})`,
    );
    invariant(index > this.delivered, `delivered entry ${index} would be overwritten`);
    if (index >= this.#offset) {
      this.#tail.length = index - this.#offset;
    } else {
      this.#tail = [];
      this.#offset = index;
    }
    this.#handOutFrom = Math.min(this.#handOutFrom, index);
    // A write under way of what is now gone proves nothing about what takes its place, even if index and term
    // agree.
    for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, index - 1);
  }

  /** First index at which `entries` disagree with the log or go beyond it; 0 if it has them all. */
  findConflict(entries: readonly Entry[]): number {
    for (const entry of entries) {
      if (this.term(entry.index) !== entry.term) return entry.index;
    }
    return 0;
  }

  /**
   * The largest index at or below `index` whose term is at most `term`: both sides of a mismatch skip whole
   * terms by it, so that a probe costs one round a term at worst (Raft paper, end of 5.3).
   *
   * @returns the index and its term; term 0 if that entry is compacted
   */
  lastWithTermAtMost(index: number, term: number): { index: number; term: number } {
    for (; index > 0; index--) {
      const here = this.term(index);
      if (here === undefined) return { index, term: 0 };
      if (here <= term) return { index, term: here };
    }
    return { index: 0, term: 0 };
  }

  /** @returns whether the commit index moved */
  commitTo(index: number): boolean {
    if (index <= this.committed) return false;
    invariant(index <= this.lastIndex(), `commit index ${index} beyond the last entry ${this.lastIndex()}`);
    this.committed = index;
    return true;
  }

  /** Takes the place of everything: the body is to install it, and the log goes on behind it. */
  restore(snapshot: SnapshotMetadata): void {
    invariant(snapshot.index > this.committed, `snapshot ${snapshot.index} behind commit ${this.committed}`);
    this.#snapshot = snapshot;
    this.#snapshotHandedOut = false;
    this.#installing = snapshot;
    this.#tail = [];
    this.#offset = snapshot.index + 1;
    this.#handOutFrom = this.#offset;
    this.committed = snapshot.index;
    this.delivered = snapshot.index;
    for (const write of this.#writes) write.lastIndex = 0;
  }

  /** The state machine stands at the snapshot now. */
  installed(index: number): void {
    if (this.#installing === undefined || this.#installing.index !== index) return;
    this.#installing = undefined;
    this.applied = Math.max(this.applied, index);
  }

  appliedTo(index: number): void {
    invariant(index <= this.delivered, `applied ${index} before it was handed out (${this.delivered})`);
    this.applied = Math.max(this.applied, index);
  }

  hasUnwritten(): boolean {
    return (
      this.#handOutFrom <= this.lastIndex() || (this.#snapshot !== undefined && !this.#snapshotHandedOut)
    );
  }

  /** What a Ready is to write, once. Remembered until {@link persistedTo} names the Ready. */
  takeUnwritten(sequence: number): { entries: readonly Entry[]; snapshot: SnapshotMetadata | undefined } {
    const snapshot = this.#snapshotHandedOut ? undefined : this.#snapshot;
    const entries =
      this.#handOutFrom <= this.lastIndex() ? this.#tail.slice(this.#handOutFrom - this.#offset) : noEntries;
    if (snapshot === undefined && entries.length === 0) return { entries, snapshot };
    this.#snapshotHandedOut = this.#snapshot !== undefined;
    this.#handOutFrom = this.lastIndex() + 1;
    this.#writes.push({ sequence, lastIndex: this.lastIndex(), snapshot });
    return { entries, snapshot };
  }

  /** The writes of all Readies up to `sequence` are durable. */
  persistedTo(sequence: number): void {
    let last = 0;
    let done = 0;
    for (const write of this.#writes) {
      if (write.sequence > sequence) break;
      if (write.snapshot !== undefined && write.snapshot === this.#snapshot) {
        this.#snapshot = undefined;
        this.#snapshotHandedOut = false;
      }
      last = Math.max(last, write.lastIndex);
      done++;
    }
    if (done === 0) return;
    this.#writes.splice(0, done);
    if (last < this.#offset) return;
    if (last === this.lastIndex()) this.#tail = [];
    else this.#tail.splice(0, last - this.#offset + 1);
    this.#offset = last + 1;
  }

  hasDeliverable(): boolean {
    return this.#installing === undefined && this.delivered < Math.min(this.committed, this.persistedIndex());
  }

  /** Committed and durable entries that were not handed out before. */
  takeDeliverable(maxBytes: number): readonly Entry[] {
    if (!this.hasDeliverable()) return noEntries;
    const end = Math.min(this.committed, this.persistedIndex());
    const entries = this.entries(this.delivered + 1, end + 1, maxBytes);
    invariant(entries !== undefined, `entry ${this.delivered + 1} was compacted before it was applied`);
    this.delivered += entries.length;
    return entries;
  }
}
