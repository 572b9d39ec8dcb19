/**
 * Whether the disk of the log has room. Before it is full the leader takes no more writes that need memory:
 * what is left is for deletions, elections and the hand-over to another node, and for the next start.
 */
import type { Clock, Timer } from '../../raft/node/index.js';
import type { Log } from '../observability/log.js';

export interface DiskSpaceOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Of the data directory, for the log. */
  readonly directory: string;
  readonly freeBytes: () => Promise<number>;
}

/** From here on it is called full, until this much more is free again. */
const FULL_BELOW_BYTES = 8 * 1024 * 1024;
/** A snapshot leaves so much to the log. */
export const SNAPSHOT_RESERVE_BYTES = 2 * FULL_BELOW_BYTES;
const HYSTERESIS_BYTES = 4 * 1024 * 1024;
/** It is looked at often when it could be full before the next look. */
const NEAR_BYTES = 1024 * 1024 * 1024;
const NEAR_EVERY_MS = 100;
const FAR_EVERY_MS = 1000;

export class DiskSpace {
  isFull = false;
  /** As last seen; undefined where the system does not say. */
  freeBytes: number | undefined;
  private timer: Timer | undefined;
  private isStopped = false;

  constructor(private readonly options: DiskSpaceOptions) {}

  /** Looks now, and from now on. */
  async start(): Promise<void> {
    const free = await this.look();
    if (this.isStopped) return;
    this.timer = this.options.clock.setTimer(free < NEAR_BYTES ? NEAR_EVERY_MS : FAR_EVERY_MS, () => {
      void this.start();
    });
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private async look(): Promise<number> {
    const { freeBytes, log, directory } = this.options;
    let free: number;
    try {
      free = await freeBytes();
    } catch {
      // A system that does not say: then only a write that fails tells.
      this.freeBytes = undefined;
      return Number.POSITIVE_INFINITY;
    }
    this.freeBytes = free;
    const isFull = free < FULL_BELOW_BYTES + (this.isFull ? HYSTERESIS_BYTES : 0);
    if (isFull !== this.isFull) {
      const shown = `${Math.floor(free / 1024)} KiB are free on the disk of ${directory}`;
      if (isFull)
        log.warning(`${shown}: as a leader this node takes no writes that need memory`, {
          event: 'disk-full',
          bytes: free,
        });
      else log.notice(`${shown}: writes are taken again`, { event: 'disk-free', bytes: free });
    }
    this.isFull = isFull;
    return free;
  }
}
