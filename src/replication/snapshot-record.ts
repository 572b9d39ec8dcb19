/** What INFO, LASTSAVE and BGSAVE say of this node's snapshots. */
import { wallNow } from '../../raft/node/timers.js';

export class SnapshotRecord {
  /** When the last one was done, or the node started. */
  lastSeconds = Math.floor(wallNow() / 1000);
  lastSucceeded = true;
  /** -1 while there was none. */
  lastDurationSeconds = -1;
  /** When the one under way began; 0 when there is none. */
  beganMs = 0;
  count = 0;

  /** A snapshot begins, whoever asked for it. */
  began(nowMs: number): void {
    this.beganMs = nowMs;
  }

  ended(succeeded: boolean, nowMs: number): void {
    this.lastSucceeded = succeeded;
    this.lastDurationSeconds = Math.round((nowMs - this.beganMs) / 1000);
    this.beganMs = 0;
    if (!succeeded) return;
    this.count++;
    this.lastSeconds = Math.floor(nowMs / 1000);
  }
}

/** How far a recovery is. */
export interface LoadingProgress {
  readonly beganMs: number;
  /** Bytes of snapshot and log; of a replay, entries. */
  done: number;
  total: number;
}
