/** When snapshots are taken, and how much log is kept behind them. */
import type { Entry, SnapshotMetadata } from '../../types.js';
import type { Clock, Timer } from '../clock.js';
import type { NodeLog } from '../wal/node-log.js';
import type { SnapshotReader, SnapshotStore } from './store.js';

export interface SnapshotterOptions {
  readonly clock: Clock;
  readonly log: NodeLog;
  readonly snapshots: SnapshotStore;
  readonly cut: (metadata: SnapshotMetadata) => AsyncIterable<Uint8Array>;
  /** What the state machine has applied by now. */
  readonly position: () => SnapshotMetadata;
  readonly logBytes: number;
  readonly tailBytes: number;
  readonly intervalMs: number | undefined;
  /** Without files: a log in memory is shortened without a snapshot, which is cut when a peer needs it. */
  readonly isVolatile: boolean;
  /** The last entry that every peer which is being brought up to date holds; Infinity if there is none. */
  readonly neededFrom: () => number;
  /** Bytes that are free on the disk of the log. */
  readonly freeBytes: () => Promise<number>;
  readonly onNotice: (text: string) => void;
}

/** What an applied entry counts besides its payload. */
const entryOverheadBytes = 96;
/** Without files, the log is looked through as often as this: nothing is written for it. */
const volatileLogBytes = 1 << 20;
/**
 * In memory, the log behind a transfer is kept up to this many times the size at which snapshots are taken.
 */
const heldFactor = 8;
/**
 * A snapshot is due when applying what came since the last one took this long: no recovery replays much
 * longer.
 */
const replayMaxMs = 5000;
/**
 * But snapshots take at most a part of all time: of what was applied meanwhile, so many times their own
 * duration.
 */
const replayPerSnapshot = 4;

export class Snapshotter {
  private bytesSince = 0;
  private appliedMsSince = 0;
  private lastDurationMs = 0;
  private isStarted = false;
  private running: Promise<SnapshotMetadata> | undefined;
  private timer: Timer | undefined;
  private isStopped = false;
  private readonly held: number[] = [];

  constructor(private readonly options: SnapshotterOptions) {}

  get isBusy(): boolean {
    return this.running !== undefined;
  }

  /** From now on, snapshots are taken when they are due. */
  start(): void {
    this.isStarted = true;
    this.armTimer();
  }

  private armTimer(): void {
    const { intervalMs, clock } = this.options;
    if (intervalMs === undefined || this.isStopped) return;
    this.timer = clock.setTimer(intervalMs, () => {
      if (this.bytesSince > 0) this.takeQuietly();
      this.armTimer();
    });
  }

  /** Notes that entries were applied, in `tookMs`; takes a snapshot when enough have come together. */
  applied(entries: readonly Entry[], tookMs: number): void {
    for (const { payload } of entries) this.bytesSince += payload.length + entryOverheadBytes;
    this.appliedMsSince += tookMs;
    const { isVolatile, logBytes } = this.options;
    const due = isVolatile ? Math.min(volatileLogBytes, logBytes) : logBytes;
    const isDue =
      this.bytesSince >= due ||
      (!isVolatile && this.appliedMsSince >= Math.max(replayMaxMs, replayPerSnapshot * this.lastDurationMs));
    if (!isDue || !this.isStarted || this.isStopped) return;
    if (isVolatile) {
      this.bytesSince = 0;
      const metadata = this.options.position();
      this.options.log.setSnapshot(metadata);
      // Nobody but peers ever asks for what is applied.
      const tailBytes = metadata.membership.members.length === 1 ? 0 : this.options.tailBytes;
      const isBounded = this.options.log.bytes < heldFactor * logBytes;
      this.compact(metadata.index, tailBytes, isBounded);
    } else {
      this.takeQuietly();
    }
  }

  /**
   * Takes a snapshot of the state as it is now, even if the newest one is of that. Joins one that is under
   * way.
   */
  take(): Promise<SnapshotMetadata> {
    if (this.isStopped) return Promise.reject(new Error('the node stops'));
    if (this.running === undefined) {
      this.running = this.run().finally(() => {
        this.running = undefined;
      });
    }
    return this.running;
  }

  /** A reader of a snapshot that covers `index`; takes one if there is none. */
  async read(index: number): Promise<SnapshotReader> {
    const { snapshots } = this.options;
    for (let attempt = 0; attempt < 3; attempt++) {
      const latest = snapshots.latest()?.metadata;
      if (latest === undefined || latest.index < index) {
        await this.take();
        continue;
      }
      try {
        const reader = await snapshots.openLatest();
        if (reader !== undefined) return reader;
      } catch (error) {
        await this.replace(latest, (error as Error).message);
      }
    }
    throw new Error(`no snapshot covers entry ${index}`);
  }

  /** The newest snapshot does not read back as it was written: cuts another. Resolves when that is there. */
  async replace(damaged: SnapshotMetadata, what: string): Promise<void> {
    const { snapshots, onNotice } = this.options;
    if (snapshots.latest()?.metadata.index !== damaged.index) return;
    onNotice(`${what}; another snapshot is taken in its place`);
    snapshots.distrust(damaged);
    const { index } = await this.take();
    onNotice(`the snapshot of entry ${index} has taken the place of the damaged one`);
  }

  /**
   * Keeps the log behind `index`, for a peer that is being sent that snapshot. Returns what gives it free.
   */
  hold(index: number): () => void {
    this.held.push(index);
    return () => {
      const at = this.held.indexOf(index);
      if (at >= 0) this.held.splice(at, 1);
    };
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.running?.catch(() => {});
  }

  private takeQuietly(): void {
    // A failure here costs nothing but time: the log is whole.
    this.bytesSince = 0;
    this.appliedMsSince = 0;
    if (this.running === undefined)
      this.take().catch((error: Error) => this.options.onNotice(`snapshot failed: ${error.message}`));
  }

  private async run(): Promise<SnapshotMetadata> {
    const { snapshots, log, cut, position, clock } = this.options;
    const metadata = position();
    const beganMs = clock.monotonicMs();
    // Asking for the first chunk in this very turn makes the cut, at the index that the metadata names: a
    // generator does nothing before.
    const chunks = cut(metadata)[Symbol.asyncIterator]();
    const first = chunks.next();
    first.catch(() => {});
    this.bytesSince = 0;
    this.appliedMsSince = 0;
    try {
      const writer = await snapshots.begin(metadata, true);
      try {
        for (let chunk = await first; chunk.done !== true; chunk = await chunks.next()) {
          if (this.isStopped) throw new Error('the node stops');
          await writer.write(chunk.value);
        }
        // A log that ends below this node's own snapshot is then known to have been cut.
        await log.makeDurable();
        await writer.commit();
      } catch (error) {
        await writer.abort();
        throw error;
      }
    } finally {
      await chunks.return?.();
    }
    this.lastDurationMs = clock.monotonicMs() - beganMs;
    // As long as at least as much disk is free as the log takes, it is kept for who is being brought up to
    // date.
    const keepsForPeers = log.bytes <= (await this.options.freeBytes());
    if (log.snapshot().index <= metadata.index) {
      log.setSnapshot(metadata);
      this.compact(metadata.index, this.options.tailBytes, keepsForPeers);
    }
    return metadata;
  }

  private compact(index: number, tailBytes: number, keepsForPeers: boolean): void {
    const needed = keepsForPeers ? Math.min(this.options.neededFrom(), ...this.held) : index;
    this.options.log.compact(Math.min(needed, index), tailBytes);
  }
}
