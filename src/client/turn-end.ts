/**
 * What clients have coming at the end of an event loop's turn: output is flushed, and who was stalled goes
 * on.
 */
import type { Clock } from '../../raft/node/index.js';
import type { ScheduledClient } from './client-host.js';

/** Where so many clients wait for the end of the turn, others do not. */
const CROWD = 1024;

export class TurnEnd {
  private readonly dirty: ScheduledClient[] = [];
  private readonly resuming: ScheduledClient[] = [];
  private resumeScheduled = false;

  constructor(private readonly clock: Clock) {}

  /** The client has output, or is to be closed; it is flushed at the end of the turn at the latest. */
  hasOutput(client: ScheduledClient): void {
    if (this.dirty.push(client) === 1) this.clock.afterInput(() => this.flush());
  }

  /** Whether so many wait for the end of the turn that further output should leave at once. */
  get isCrowded(): boolean {
    return this.dirty.length >= CROWD;
  }

  /** Flushes all that have output, now. */
  flush(): void {
    if (this.dirty.length === 0) return;
    for (const client of this.dirty.splice(0)) client.flush();
  }

  /** Lets a stalled client go on, outside of apply. */
  resumeSoon(client: ScheduledClient): void {
    this.resuming.push(client);
    if (this.resumeScheduled) return;
    this.resumeScheduled = true;
    this.clock.afterInput(() => {
      this.resumeScheduled = false;
      for (const resumed of this.resuming.splice(0)) resumed.resume();
    });
  }
}
