/**
 * A clock whose node can be made to stand still, as a process does that was stopped: time goes on, and
 * nothing is called.
 */
import type { Clock, Timer } from '../../raft/node/index.js';

export class PausableClock implements Clock {
  private isPaused = false;
  private held: (() => void)[] = [];

  constructor(private readonly base: Clock) {}

  /** From now on whatever is due waits. */
  pause(): void {
    this.isPaused = true;
  }

  /** Calls what was due, in its order. */
  resume(): void {
    this.isPaused = false;
    for (const callback of this.held.splice(0)) this.base.afterInput(callback);
  }

  monotonicMs(): number {
    return this.base.monotonicMs();
  }

  wallMs(): number {
    return this.base.wallMs();
  }

  wallUs(): number {
    return this.base.wallUs?.() ?? this.base.wallMs() * 1000;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    let isCancelled = false;
    const timer = this.base.setTimer(delayMs, () =>
      this.run(() => {
        if (!isCancelled) callback();
      }),
    );
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  afterInput(callback: () => void): void {
    this.base.afterInput(() => this.run(callback));
  }

  private run(callback: () => void): void {
    if (this.isPaused) this.held.push(callback);
    else callback();
  }
}
