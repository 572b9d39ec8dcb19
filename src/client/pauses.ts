/** CLIENT PAUSE: whose commands wait, and until when. */
import type { Runnable } from '../../engine/index.js';
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';
import type { Client } from './client.js';

/** Commands that are no writes and yet reach other clients: CLIENT PAUSE WRITE holds them up, too. */
const MAY_REPLICATE = new Set(['publish', 'spublish', 'pfcount']);
/** Timers wait at most this long. */
const TIMER_MAX_MS = 0x7fffffff;

export interface Pause {
  readonly untilMs: number;
  readonly what: 'all' | 'write';
}

export class Pauses {
  /** The pause in force. */
  current: Pause | undefined;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param clock milliseconds since the epoch
   * @param ended called when nobody is paused any more
   */
  constructor(
    private readonly clock: () => number,
    private readonly ended: () => void,
  ) {}

  /** Whether a command of this connection must wait. */
  holdsUp(row: Runnable, connection: Client): boolean {
    const pause = this.current;
    if (pause === undefined) return false;
    if (pause.what === 'all' || row.kind === 'write') return true;
    if (row.name === 'exec') return connection.transaction?.writes === true;
    return MAY_REPLICATE.has(row.name);
  }

  /** Pauses clients; of two pauses the longer and the stricter counts, as in Redis. */
  begin(pause: Pause): void {
    const before = this.current;
    const current: Pause = {
      untilMs: Math.max(pause.untilMs, before?.untilMs ?? 0),
      what: before?.what === 'all' ? 'all' : pause.what,
    };
    clearTimeout(this.timer);
    this.current = current;
    const left = Math.max(0, current.untilMs - this.clock());
    if (left === 0) {
      this.end();
      return;
    }
    this.timer = setTimeout(
      () => (this.clock() < current.untilMs ? this.begin(current) : this.end()),
      Math.min(left, TIMER_MAX_MS),
    );
    this.timer.unref();
  }

  /** Time was moved. */
  look(): void {
    if (this.current !== undefined && this.current.untilMs <= this.clock()) this.end();
  }

  /** Whoever was held up goes on. */
  end(): void {
    clearTimeout(this.timer);
    if (this.current === undefined) return;
    this.current = undefined;
    this.ended();
  }

  /** Forgets the pause, and wakes nobody. */
  close(): void {
    clearTimeout(this.timer);
  }
}
