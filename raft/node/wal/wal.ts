/**
 * The write-ahead log of one node: what the consensus core wants to survive a crash, in its order.
 *
 * Everything that arrives while a write is under way goes out with the next one: one gathered write, one
 * fdatasync. A batch is acknowledged when the durability level says so; a change of term or vote always waits
 * for the disk. After the first failed write or sync nothing is acknowledged any more: the page cache proves
 * nothing then, and only a restart, which reads what the disk holds, can tell.
 */
import { join } from 'node:path';
import type { Entry, HardState, LogStorage, SnapshotMetadata } from '../../types.js';
import type { Timer } from '../clock.js';
import { syncFile, writeFile } from '../directory/disk.js';
import { damageError, ioError, logDamageAdvice, lostBehindSnapshot, StorageError } from '../errors.js';
import { queueMicrotask } from '../timers.js';
import { cachedEntries, EntryCache } from './entry-cache.js';
import { LogSync } from './log-sync.js';
import { warnOfFullDisk } from './low-space.js';
import type { Durability, WalOptions } from './options.js';
import {
  encodePrelude,
  payloadBytesMax,
  preludeBytes,
  RecordEncoder,
  recordEntriesMax,
  recordPayloadMax,
} from './record.js';
import { type RecoveredLog, recoverLog } from './recovery.js';
import { segmentFile } from './scan.js';
import { SegmentRemoval } from './segment-removal.js';
import { type Segment, WalSegments } from './segments.js';
import { TermRuns } from './term-runs.js';

type Done = (error?: StorageError) => void;

interface Append {
  readonly entries: readonly Entry[];
  /** Set where a snapshot takes the place of the log. */
  readonly snapshot: SnapshotMetadata | undefined;
  readonly done: Done | undefined;
}

const defaultSegmentBytes = 64 * 1024 * 1024;
const defaultCacheBytes = 32 * 1024 * 1024;
/** Up to this size a batch is written synchronously, into the page cache: it saves two thread hops. */
const writeSyncMaxBytes = 256 * 1024;
/** Small batches extend the file by zeros in steps of this size: most syncs then leave its size alone. */
const extendBytes = 128 * 1024;
const extendBatchMaxBytes = 64 * 1024;
/** Below durability high: so many unsynced bytes start a sync in the background, so that none gets long. */
const unsyncedMaxBytes = 8 * 1024 * 1024;
const syncIntervalMs = 1000;
/** After this much quiet, the log notes how far it is known to be durable. */
const idleMarkMs = 500;
const zeros = new Uint8Array(extendBytes);

export class Wal implements LogStorage {
  private readonly segments: WalSegments;
  private readonly terms = new TermRuns();
  private readonly cache = new EntryCache();
  private readonly encoder: RecordEncoder;
  private readonly segmentBytes: number;
  private readonly cacheBytes: number;

  private durability: Durability;
  private state: HardState = { term: 0, vote: 0, commit: 0 };
  private snapshotMetadata: SnapshotMetadata;
  /** Term or vote changed and was not written yet. */
  private mustSync = false;
  private pending: Append[] = [];
  private flushScheduled = false;
  /** A write, a sync that a batch waits for, or a change of segment is under way. */
  private busy = false;
  /** Told if the log fails before their sync. */
  private durableWaiters: ((error: StorageError) => void)[] = [];
  private readonly sync: LogSync;
  /** What the record written last states as synced and as commit. */
  private markedPosition = 0;
  private markedCommit = 0;
  /** The file reaches to this offset; behind the segment's end there are zeros. */
  private extended = 0;
  private markTimer: Timer | undefined;
  private syncTimer: Timer | undefined;
  private failure: StorageError | undefined;
  private inFlight: Append[] = [];
  private isClosed = false;
  private drainWaiter: (() => void) | undefined;
  private readonly removal: SegmentRemoval;

  private constructor(private readonly options: WalOptions) {
    this.segments = new WalSegments(options.salt);
    this.sync = new LogSync(options.clock, this.segments, {
      hasFailed: () => this.failure !== undefined,
      failed: (error) => this.fail(error),
      ended: () => this.settle(),
      synced: options.onSync,
    });
    this.removal = new SegmentRemoval(options);
    this.encoder = new RecordEncoder(options.salt);
    this.segmentBytes = options.segmentBytes ?? defaultSegmentBytes;
    this.cacheBytes = options.cacheBytes ?? defaultCacheBytes;
    this.durability = options.durability;
    this.snapshotMetadata = options.snapshot;
  }

  /**
   * Opens the log, or founds it where there is none. A torn tail is cut; what is not known to be durable is
   * rewritten and synced before this returns, so that whatever the node says next stands on the disk.
   *
   * @throws StorageError for damage (naming file and offset), a gap behind the snapshot, a disk that refuses
   */
  static async open(options: WalOptions): Promise<Wal> {
    const wal = new Wal(options);
    try {
      const recovered = await recoverLog(options, wal.terms, wal.segments);
      if (recovered === undefined) await wal.found();
      else await wal.adopt(recovered);
    } catch (error) {
      for (const segment of wal.segments.segments) await segment.file.close().catch(() => {});
      throw error;
    }
    return wal;
  }

  /** Term, vote and commit as last appended; after `open`, as recovered. */
  get hardState(): HardState {
    return this.state;
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
    return this.snapshotMetadata;
  }

  /** A newer snapshot is in place; `compact` may follow. */
  setSnapshot(metadata: SnapshotMetadata): void {
    this.snapshotMetadata = metadata;
  }

  /** Bytes of log in the files. */
  get bytes(): number {
    return this.segments.bytesFrom(this.segments.segments[0]!);
  }

  /** Bytes of log written from about the entry after `index` on. */
  bytesAfter(index: number): number {
    if (index >= this.segments.lastWritten) return 0;
    const { segment, offset } = this.segments.locate(Math.max(index + 1, this.terms.first));
    return this.segments.position - segment.base - offset;
  }

  /** @throws StorageError when an old entry does not read back as it was written */
  entries(low: number, high: number, maxBytes: number): readonly Entry[] {
    if (low < this.terms.first || high > this.terms.last + 1 || low > high) {
      throw new RangeError(
        `entries ${low} to ${high} of a log from ${this.terms.first} to ${this.terms.last}`,
      );
    }
    const found: Entry[] = [];
    let taken = 0;
    while (low < high && low < this.cache.first && (found.length === 0 || taken < maxBytes)) {
      const before = found.length;
      taken += this.segments.read(low, Math.min(high, this.cache.first), maxBytes - taken, found);
      if (found.length === before) return found;
      low = found.at(-1)!.index + 1;
    }
    if (low < high && low >= this.cache.first) cachedEntries(this.cache, low, high, maxBytes, found);
    return found;
  }

  /**
   * Appends. An entry whose index is there already replaces it and all that follow. `done` is called when all
   * is persisted at the durability level (a change of term or vote: when it is on the disk), in the order of
   * the calls, or with the error that stopped the log. The entries are readable at once. A change of the
   * commit index alone costs no write.
   */
  append(hardState: HardState | undefined, entries: readonly Entry[], done?: Done): void {
    if (this.refuses(done)) return;
    let mustWrite = entries.length > 0 || this.busy || this.pending.length > 0;
    if (hardState !== undefined) {
      if (hardState.term !== this.state.term || hardState.vote !== this.state.vote) {
        this.mustSync = true;
        mustWrite = true;
      }
      this.state = hardState;
    }
    if (!mustWrite) {
      this.armMark();
      if (done !== undefined) queueMicrotask(done);
      return;
    }
    if (entries.length > 0) this.remember(entries);
    this.pending.push({ entries, snapshot: undefined, done });
    this.scheduleFlush();
  }

  /** A snapshot takes the place of the whole log: it goes on, empty, behind `metadata.index`. */
  reset(metadata: SnapshotMetadata, done?: Done): void {
    if (this.refuses(done)) return;
    this.snapshotMetadata = metadata;
    const { term, vote, commit } = this.state;
    const isAhead = metadata.term > term;
    this.state = {
      term: isAhead ? metadata.term : term,
      vote: isAhead ? 0 : vote,
      commit: Math.max(commit, metadata.index),
    };
    this.terms.reset(metadata.index + 1, metadata.term);
    this.cache.clear(metadata.index + 1);
    this.pending.push({ entries: [], snapshot: metadata, done });
    this.scheduleFlush();
  }

  /** Removes whole segments of entries up to `index`; keeps at least `keepBytes` for slow followers. */
  compact(index: number, keepBytes: number): void {
    // While a snapshot is taking the place of the log, the files are those of the log before it.
    if (this.pending.some((append) => append.snapshot !== undefined)) return;
    const { segments } = this.segments;
    let keepFrom = 0;
    for (let i = 1; i < segments.length; i++) {
      if (segments[i]!.firstIndex - 1 <= index && this.segments.bytesFrom(segments[i]!) >= keepBytes)
        keepFrom = i;
    }
    if (keepFrom === 0) return;
    const first = this.segments.firstIndexIn(segments[keepFrom]!);
    this.terms.dropBefore(first);
    this.removal.add(this.segments.dropBefore(segments[keepFrom]!));
  }

  /** How long the last sync took. */
  get lastSyncMs(): number {
    return this.sync.lastMs;
  }

  /** The longest that a sync has taken since this was asked last. */
  takeSlowestSyncMs(): number {
    const { slowestMs } = this.sync;
    this.sync.slowestMs = 0;
    return slowestMs;
  }

  /** Resolves when all that was written by now is durable, at any level. Rejects when the log fails. */
  makeDurable(): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (this.isClosed || this.sync.position >= this.segments.position) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.durableWaiters.push(reject);
      this.sync.start(() => {
        this.durableWaiters = this.durableWaiters.filter((waiter) => waiter !== reject);
        resolve();
      });
    });
  }

  /** Takes effect for all that is not yet acknowledged; a step up syncs what was written so far. */
  setDurability(durability: Durability): void {
    this.durability = durability;
    if (this.isClosed || this.failure !== undefined || this.sync.position >= this.segments.position) return;
    if (durability === 'high') this.sync.start(() => {});
    else this.armSync();
  }

  /** Syncs what is pending, notes that it is durable and closes the files. Appends after this call fail. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.markTimer?.cancel();
    this.syncTimer?.cancel();
    await this.drained();
    if (this.failure === undefined) {
      try {
        await syncFile(this.segments.active.file);
        this.sync.position = this.segments.position;
        this.writeMark();
        await syncFile(this.segments.active.file);
        await this.options.onReach?.(this.segments.position);
      } catch (error) {
        this.fail(ioError('write', this.segments.active.path, error));
      }
    }
    await this.removal.done;
    for (const segment of this.segments.segments) await segment.file.close();
  }

  // Opening

  private async found(): Promise<void> {
    const { index, term } = this.snapshotMetadata;
    this.terms.reset(index + 1, term);
    this.segments.reset(index + 1);
    this.cache.clear(index + 1);
    this.state = { term, vote: 0, commit: index };
    await this.beginSegment(false);
  }

  /** Takes over what was recovered and brings it in line with the snapshot. */
  private async adopt({ hardState, checksum, fileBytes }: RecoveredLog): Promise<void> {
    const { index, term } = this.snapshotMetadata;
    this.encoder.checksum = checksum;
    this.extended = fileBytes;
    this.sync.position = this.segments.position;
    this.cache.clear(this.terms.last + 1);
    this.state = { ...hardState, commit: Math.max(hardState.commit, index) };
    if (index <= this.terms.last && this.terms.term(index) === term) return;
    if (this.options.snapshotIsOwn === true) {
      throw damageError(
        this.segments.active.path,
        this.segments.active.end,
        lostBehindSnapshot(index),
        logDamageAdvice,
      );
    }
    await new Promise<void>((resolve, reject) => {
      this.reset(this.snapshotMetadata, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  // Writing

  private refuses(done: Done | undefined): boolean {
    if (this.failure === undefined && !this.isClosed) return false;
    const error = this.failure ?? new StorageError('io', 'the log is closed', this.options.directory);
    queueMicrotask(() => done?.(error));
    return true;
  }

  private remember(entries: readonly Entry[]): void {
    for (const { payload } of entries) {
      if (payload.length > payloadBytesMax) throw new RangeError(`an entry of ${payload.length} bytes`);
    }
    let from = 0;
    for (let i = 1; i <= entries.length; i++) {
      if (i < entries.length && entries[i]!.term === entries[from]!.term) continue;
      this.terms.append(entries[from]!.index, i - from, entries[from]!.term);
      from = i;
    }
    for (const entry of entries) this.cache.push(entry);
  }

  private scheduleFlush(): void {
    if (this.flushScheduled || this.busy) return;
    this.flushScheduled = true;
    // What the rest of this turn appends goes out with the same write.
    queueMicrotask(() => {
      this.flushScheduled = false;
      this.flush();
    });
  }

  private flush(): void {
    if (this.busy || this.failure !== undefined || this.pending.length === 0) return;
    const first = this.pending[0]!;
    if (first.snapshot !== undefined || this.segments.active.end >= this.segmentBytes) {
      this.busy = true;
      this.roll(first.snapshot).then(
        () => {
          this.busy = false;
          if (first.snapshot !== undefined) {
            this.pending.shift();
            first.done?.();
          }
          this.flush();
          this.settle();
        },
        (error) => this.fail(ioError('write', this.segments.active.path, error)),
      );
      return;
    }
    const upTo = this.pending.findIndex((append) => append.snapshot !== undefined);
    const appends = this.pending.splice(0, upTo === -1 ? this.pending.length : upTo);
    this.inFlight = appends;
    const segment = this.segments.active;
    const pieces = this.encode(appends, segment);
    const total = this.encoder.total;
    const needSync = this.durability === 'high' || this.mustSync;
    this.mustSync = false;
    this.busy = true;
    if (total <= writeSyncMaxBytes) {
      try {
        segment.file.writeSync(this.extend(pieces, segment.end, total), segment.end);
      } catch (error) {
        this.fail(ioError('write', segment.path, error));
        return;
      }
      this.written(total, needSync);
    } else {
      segment.file.write(pieces, segment.end, (error) => {
        if (error !== null) this.fail(ioError('write', segment.path, error));
        else this.written(total, needSync);
      });
    }
  }

  private encode(appends: readonly Append[], segment: Segment): readonly Uint8Array[] {
    const { encoder, state } = this;
    const entries = appends.length === 1 ? appends[0]!.entries : appends.flatMap((append) => append.entries);
    encoder.start();
    let from = 0;
    let payloadBytes = 0;
    for (let i = 0; i <= entries.length; i++) {
      if (i > from) {
        const previous = entries[i - 1]!;
        const next = entries[i];
        payloadBytes += previous.payload.length;
        const goesOn =
          next !== undefined &&
          next.index === previous.index + 1 &&
          next.term === previous.term &&
          i - from < recordEntriesMax &&
          payloadBytes + next.payload.length <= recordPayloadMax;
        if (goesOn) continue;
        const { index } = entries[from]!;
        this.segments.note(segment.sequence, segment.end + encoder.total, index, i - from);
        encoder.batch(state, this.sync.position, index, this.terms.term(index - 1) ?? 0, entries, from, i);
        from = i;
        payloadBytes = 0;
      }
    }
    if (encoder.total === 0) this.encodeMark();
    this.markedPosition = this.sync.position;
    this.markedCommit = state.commit;
    return encoder.finish();
  }

  private encodeMark(): void {
    const { last } = this.terms;
    this.encoder.batch(this.state, this.sync.position, last + 1, this.terms.term(last) ?? 0, [], 0, 0);
  }

  /** Adds zeros behind a small batch that would end beyond the file: later syncs leave its size alone. */
  private extend(pieces: readonly Uint8Array[], position: number, total: number): readonly Uint8Array[] {
    const end = position + total;
    if (end <= this.extended) return pieces;
    this.extended = end;
    if (total > extendBatchMaxBytes || end >= this.segmentBytes) return pieces;
    this.extended = Math.min(Math.ceil(end / extendBytes) * extendBytes, this.segmentBytes);
    return this.extended === end ? pieces : [...pieces, zeros.subarray(0, this.extended - end)];
  }

  private written(total: number, needSync: boolean): void {
    const { active } = this.segments;
    active.end += total;
    if (this.extended < active.end) this.extended = active.end;
    if (this.pending.length === 0) this.cache.evict(this.cacheBytes, this.segments.lastWritten);
    if (needSync) {
      this.sync.start(() => this.acknowledge());
      return;
    }
    if (this.segments.position - this.sync.position >= unsyncedMaxBytes && !this.sync.isUnderWay)
      this.sync.start(() => {});
    else this.armSync();
    this.acknowledge();
  }

  private acknowledge(): void {
    const appends = this.inFlight;
    this.inFlight = [];
    this.busy = false;
    for (const { done } of appends) done?.();
    this.armMark();
    if (this.pending.length > 0) this.scheduleFlush();
    this.settle();
  }

  /** At durability medium: one sync a second where there is something to sync. Low leaves it to the OS. */
  private armSync(): void {
    if (this.durability !== 'medium' || this.syncTimer !== undefined || this.isClosed) return;
    this.syncTimer = this.options.clock.setTimer(syncIntervalMs, () => {
      this.syncTimer = undefined;
      if (this.failure === undefined && this.sync.position < this.segments.position)
        this.sync.start(() => this.armMark());
    });
  }

  /** In a quiet moment, a record states how far the log is durable and committed, without a sync. */
  private armMark(): void {
    if (this.markTimer !== undefined || this.isClosed || this.failure !== undefined || !this.hasNews())
      return;
    this.markTimer = this.options.clock.setTimer(idleMarkMs, () => {
      this.markTimer = undefined;
      if (this.failure !== undefined || this.isClosed || !this.hasNews()) return;
      if (this.busy || this.flushScheduled || this.segments.active.end >= this.segmentBytes) this.armMark();
      else {
        try {
          this.writeMark();
        } catch (error) {
          this.fail(ioError('write', this.segments.active.path, error));
        }
      }
    });
  }

  private hasNews(): boolean {
    return this.markedPosition < this.sync.position || this.markedCommit < this.state.commit;
  }

  private writeMark(): void {
    const { active } = this.segments;
    this.encoder.start();
    this.encodeMark();
    const pieces = this.encoder.finish();
    active.file.writeSync(this.extend(pieces, active.end, this.encoder.total), active.end);
    active.end += this.encoder.total;
    this.markedPosition = this.sync.position;
    this.markedCommit = this.state.commit;
  }

  // Segments

  /** Closes the active segment, synced, and begins the next; with `snapshot`, the log before it is void. */
  private async roll(snapshot: SnapshotMetadata | undefined): Promise<void> {
    const { active } = this.segments;
    if (this.extended > active.end) await active.file.truncate(active.end);
    await syncFile(active.file);
    this.sync.position = this.segments.position;
    await this.beginSegment(snapshot !== undefined);
    if (snapshot !== undefined) {
      this.segments.reset(snapshot.index + 1);
      this.removal.add(this.segments.dropBefore(this.segments.active));
    }
  }

  private async beginSegment(reset: boolean): Promise<void> {
    const { disk, directory, clusterId, nodeId } = this.options;
    const before = this.segments.segments.at(-1);
    const sequence = (before?.sequence ?? 0) + 1;
    const base = before === undefined ? 0 : this.segments.position;
    const path = join(directory, segmentFile(sequence));
    const next = reset ? this.snapshotMetadata.index + 1 : this.segments.lastWritten + 1;
    const previousTerm = reset ? this.snapshotMetadata.term : (this.terms.term(next - 1) ?? 0);
    try {
      const file = await disk.open(path, 'create');
      this.encoder.start();
      this.encoder.header(this.state, this.sync.position, {
        sequence,
        base,
        nodeId,
        clusterId,
        reset,
        firstIndex: next,
        previousTerm,
      });
      await writeFile(file, [encodePrelude(), ...this.encoder.finish()], 0);
      await syncFile(file);
      await disk.syncDirectory(directory);
      const end = preludeBytes + this.encoder.total;
      this.segments.segments.push({ sequence, path, file, base, firstIndex: next, end });
      this.extended = end;
      this.sync.position = base + end;
      await this.options.onReach?.(this.sync.position);
      await warnOfFullDisk(this.options, this.segmentBytes);
    } catch (error) {
      throw ioError('write', path, error);
    }
  }

  // End

  private fail(error: StorageError): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.markTimer?.cancel();
    this.syncTimer?.cancel();
    const lost = [...this.inFlight, ...this.pending];
    this.inFlight = [];
    this.pending = [];
    this.options.onFailure(error);
    for (const { done } of lost) done?.(error);
    for (const reject of this.durableWaiters.splice(0)) reject(error);
    this.settle();
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      this.drainWaiter = resolve;
      this.settle();
    });
  }

  private settle(): void {
    if (this.drainWaiter === undefined || this.sync.isUnderWay) return;
    if (this.failure !== undefined || (!this.busy && this.pending.length === 0)) this.drainWaiter();
  }
}
