/**
 * The clock of a machine, and the event loop of one process on it: what stands still in a pause and ends with
 * a crash.
 */
import type { Clock } from '../../raft/node/clock.js';
import type { EventLoop } from './event-loop.js';
import type { Random } from './random.js';

/** A machine's quartz and its idea of the time of day; both survive its processes. */
export class MachineClock {
  private rate = 1;
  private sinceMs: number;
  private elapsedMs = 0;
  private oddSinceMs = Number.NEGATIVE_INFINITY;
  /** How far the time of day is off. */
  offsetMs = 0;

  constructor(private readonly loop: EventLoop) {
    this.sinceMs = loop.nowMs;
  }

  get monotonicMs(): number {
    return this.elapsedMs + (this.loop.nowMs - this.sinceMs) * this.rate;
  }

  get wallMs(): number {
    return Math.floor(1_700_000_000_000 + this.monotonicMs + this.offsetMs);
  }

  /** When it last ran at another pace than the others, in true time. */
  get oddUntilMs(): number {
    return this.rate === 1 ? this.oddSinceMs : this.loop.nowMs;
  }

  /** How many of its milliseconds pass in one true millisecond. */
  setRate(rate: number): void {
    if (this.rate !== 1) this.oddSinceMs = this.loop.nowMs;
    this.elapsedMs = this.monotonicMs;
    this.sinceMs = this.loop.nowMs;
    this.rate = rate;
  }

  /** How long its `delayMs` take in true time. */
  trueDelay(delayMs: number): number {
    return delayMs / this.rate;
  }
}

/** Everything that happens in a process goes through {@link run}, in the order in which it came about. */
export class Process implements Clock {
  isDead = false;
  /** What came about while the process stood still, was busy, or had not got round to what came before. */
  private readonly backlog: (() => void)[] = [];
  private isDraining = false;
  isPaused = false;
  private nextTurnMs = 0;
  private busyUntilMs = 0;

  constructor(
    private readonly loop: EventLoop,
    private readonly clock: MachineClock,
    private readonly random: Random,
  ) {}

  /** Runs now; after the pause if the process stands still; never if it is dead. */
  run(callback: () => void): void {
    if (this.isDead) return;
    if (!this.isPaused && this.backlog.length === 0 && !this.isBusy) callback();
    else {
      this.backlog.push(callback);
      this.drain();
    }
  }

  private get isBusy(): boolean {
    return this.busyUntilMs - this.loop.nowMs > 1e-3;
  }

  /** Takes up what waits, one after the other, each in a turn of its own. */
  private drain(): void {
    if (this.isDead || this.isDraining || this.isPaused || this.backlog.length === 0) return;
    this.isDraining = true;
    this.loop.after(this.isBusy ? this.busyUntilMs - this.loop.nowMs : 0, () => {
      this.isDraining = false;
      if (!this.isPaused && !this.isBusy && !this.isDead) this.backlog.shift()?.();
      this.drain();
    });
  }

  /** What runs now takes so long: meanwhile nothing happens in this process but its pulse. */
  busy(ms: number): void {
    this.busyUntilMs = Math.max(this.busyUntilMs, this.loop.nowMs) + ms;
  }

  /** The process stands still: SIGSTOP, a long garbage collection, a machine that is being moved. */
  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.drain();
  }

  monotonicMs(): number {
    // What runs while the process is busy is the rest of what keeps it busy.
    return this.clock.monotonicMs + Math.max(0, this.busyUntilMs - this.loop.nowMs);
  }

  wallMs(): number {
    return this.clock.wallMs;
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    let isCancelled = false;
    // A timer may be late, never early.
    const delay = this.clock.trueDelay(delayMs) + this.random.next() * 0.3;
    this.loop.after(delay, () =>
      this.run(() => {
        if (!isCancelled) callback();
      }),
    );
    return {
      cancel: () => {
        isCancelled = true;
      },
    };
  }

  /**
   * In the order of the calls, a part of a millisecond later: what else arrives until then belongs to the
   * same turn.
   */
  afterInput(callback: () => void): void {
    const { nowMs } = this.loop;
    if (this.nextTurnMs < nowMs) this.nextTurnMs = nowMs + this.random.next() * 0.1;
    this.loop.after(this.nextTurnMs - nowMs, () => this.run(callback));
  }
}
