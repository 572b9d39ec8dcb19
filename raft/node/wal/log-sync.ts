/** Makes the log durable: at most one sync is under way, and whoever asks in the meantime shares the next. */
import type { Clock } from '../clock.js';
import { ioError, type StorageError } from '../errors.js';
import type { WalSegments } from './segments.js';

/** The log whose syncs these are. */
export interface SyncedLog {
  hasFailed(): boolean;
  failed(error: StorageError): void;
  /** What a sync took. */
  synced?(milliseconds: number): void;
  /** A sync has succeeded, and who waited for it was told. */
  ended(): void;
}

export class LogSync {
  isUnderWay = false;
  /** Position up to which the log is known to be durable. */
  position = 0;
  /** How long the last one took. */
  lastMs = 0;
  /** Since somebody set it back. */
  slowestMs = 0;
  private waiters: (() => void)[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly segments: WalSegments,
    private readonly log: SyncedLog,
  ) {}

  /** Makes what is written by now durable. */
  start(callback: () => void): void {
    if (this.isUnderWay) {
      this.waiters.push(callback);
      return;
    }
    this.isUnderWay = true;
    const target = this.segments.position;
    const { file, path } = this.segments.active;
    const started = this.clock.monotonicMs();
    file.sync((error) => {
      this.isUnderWay = false;
      if (error !== null) {
        this.log.failed(ioError('sync', path, error));
        return;
      }
      this.lastMs = this.clock.monotonicMs() - started;
      this.slowestMs = Math.max(this.slowestMs, this.lastMs);
      this.log.synced?.(this.lastMs);
      this.position = Math.max(this.position, target);
      if (!this.log.hasFailed()) callback();
      const { waiters } = this;
      if (waiters.length > 0) {
        this.waiters = [];
        this.start(() => {
          for (const waiter of waiters) waiter();
        });
      }
      this.log.ended();
    });
  }
}
