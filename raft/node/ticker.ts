/** The beat of a node: how many ticks have passed, however long the event loop stood still. */
import type { Clock, Timer } from './clock.js';

/** The node that it beats for. */
export interface TickedNode {
  readonly isRunning: () => boolean;
  /** @param elapsed ticks since the last call; 0 where the timer was early */
  readonly ticked: (elapsed: number) => void;
}

export class Ticker {
  private timer: Timer | undefined;
  private lastAt: number;

  constructor(
    private readonly clock: Clock,
    private readonly tickMs: number,
    private readonly node: TickedNode,
  ) {
    this.lastAt = clock.monotonicMs();
  }

  start(): void {
    const { clock } = this;
    this.lastAt = clock.monotonicMs();
    const due = (): void => {
      // Input that came while the loop stood still is listened to before silence is judged.
      clock.afterInput(() => {
        if (!this.node.isRunning()) return;
        this.node.ticked(this.take());
        this.timer = clock.setTimer(Math.max(1, this.lastAt + this.tickMs - clock.monotonicMs()), due);
      });
    };
    this.timer = clock.setTimer(this.tickMs, due);
  }

  stop(): void {
    this.timer?.cancel();
  }

  /**
   * Ticks that the node has not been told of: the loop may have stood still until now, or the whole process.
   */
  passed(): number {
    return Math.max(0, Math.ceil((this.clock.monotonicMs() - this.lastAt) / this.tickMs));
  }

  private take(): number {
    const elapsed = Math.floor((this.clock.monotonicMs() - this.lastAt) / this.tickMs);
    if (elapsed < 1) return 0;
    this.lastAt += elapsed * this.tickMs;
    return elapsed;
  }
}
