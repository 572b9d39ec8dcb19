/**
 * Virtual time: clock, timers and delayed calls of a whole cluster in one queue, so that a seed names a run.
 */
import type { Clock } from '../../raft/node/clock.js';

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled: boolean;
}

export class EventLoop implements Clock {
  nowMs = 0;
  private events: Event[] = [];
  private order = 0;

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs;
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    return this.after(delayMs, callback);
  }

  afterInput(callback: () => void): void {
    this.after(0, callback);
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const event: Event = { at: this.nowMs + delayMs, order: this.order++, run, isCancelled: false };
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.events[middle]!.at <= event.at) low = middle + 1;
      else high = middle;
    }
    this.events.splice(low, 0, event);
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  /** Runs events until `isDone`, at most for `limitMs` of virtual time. Returns whether it was done. */
  async until(isDone: () => boolean, limitMs = 30_000): Promise<boolean> {
    const end = this.nowMs + limitMs;
    for (;;) {
      // Promises and microtasks settle between events, as they do in a real loop.
      await new Promise((resolve) => setImmediate(resolve));
      if (isDone()) return true;
      const event = this.events[0];
      if (event === undefined || event.at > end) {
        this.nowMs = end;
        return false;
      }
      this.events.shift();
      if (event.isCancelled) continue;
      this.nowMs = Math.max(this.nowMs, event.at);
      event.run();
    }
  }

  /** Lets time pass. */
  async run(ms: number): Promise<void> {
    await this.until(() => false, ms);
  }

  /** Lets time pass until the promise is settled. */
  async settle<T>(promise: Promise<T>, limitMs = 30_000): Promise<T> {
    let isSettled = false;
    const note = (): void => {
      isSettled = true;
    };
    promise.then(note, note);
    if (!(await this.until(() => isSettled, limitMs))) throw new Error(`nothing came of it in ${limitMs} ms`);
    return promise;
  }
}
