/** Time in a test's hands: a node stamps its log by this clock, and its clients see what it says. */
import type { Clock, Timer } from '../../raft/node/index.js';

/** What a clock takes along: a node. */
export interface ClockFollower {
  /** When its next waiting client gives up, in milliseconds since 1970; undefined if none does. */
  nextWake(): number | undefined;
  /** Brings logged time up to the clock, and everything that is due with it. */
  settle(): Promise<void>;
}

interface Hand {
  offsetMs: number;
  /** Where time stands, if it does. */
  frozen: { readonly monotonicMs: number; readonly wallUs: number } | undefined;
  readonly followers: Set<ClockFollower>;
}

/**
 * Begins as the machine's time and goes on with it, until it is moved or frozen. Times to live, timeouts of
 * blocking commands, ids of streams, TIME and the idle times of clients follow it; elections, heartbeats and
 * the timers of client libraries do not.
 */
export class TestClock implements Clock {
  /**
   * @param base the time that it begins as, whose timers it uses
   * @param hand what moves it, which several may share
   */
  constructor(
    readonly base: Clock,
    private readonly hand: Hand = { offsetMs: 0, frozen: undefined, followers: new Set() },
  ) {}

  /** The same time, which moves with this one, on the timers of another base. */
  on(base: Clock): TestClock {
    return new TestClock(base, this.hand);
  }

  /** What clients take for the present, in milliseconds since 1970. */
  get now(): number {
    return this.wallMs();
  }

  /** Whether it stands still. */
  get isFrozen(): boolean {
    return this.hand.frozen !== undefined;
  }

  /**
   * Moves time on, as if so long had passed. Clients that block give up each at its own time.
   *
   * @returns when what is due has happened: keys are gone, blocked clients were answered
   * @throws RangeError unless it is a number of milliseconds from 0 up
   */
  async advance(milliseconds: number): Promise<void> {
    if (!(milliseconds >= 0 && milliseconds < Number.POSITIVE_INFINITY))
      throw new RangeError(`advance() takes milliseconds from 0 up, and got ${milliseconds}`);
    let leftMs = Math.ceil(milliseconds);
    while (leftMs > 0) {
      const wakes = [...this.hand.followers].map((follower) => follower.nextWake());
      const nextMs = Math.min(...wakes.filter((wake) => wake !== undefined)) - this.now;
      const stepMs = nextMs > 0 && nextMs < leftMs ? nextMs : leftMs;
      this.shift(stepMs);
      leftMs -= stepMs;
      await this.settle();
    }
  }

  /**
   * Sets the time.
   *
   * @param time a Date, or milliseconds since 1970
   * @throws RangeError for a time that has passed: what the log says has happened
   */
  async setTime(time: Date | number): Promise<void> {
    const toMs = Number(time);
    const { now } = this;
    if (Number.isNaN(toMs)) throw new RangeError(`setTime() takes a Date or a number, and got ${time}`);
    if (toMs < now)
      throw new RangeError(
        `time does not go back: it is ${new Date(now).toISOString()} (Redraft.start() takes the time to begin with: \`now\`)`,
      );
    await this.advance(toMs - now);
  }

  /** Stops time. It still can be moved. */
  freeze(): void {
    this.hand.frozen ??= { monotonicMs: this.monotonicMs(), wallUs: this.wallUs() };
  }

  /** Lets time go on from where it stands. */
  unfreeze(): void {
    const { frozen } = this.hand;
    if (frozen === undefined) return;
    this.hand.frozen = undefined;
    this.hand.offsetMs += Math.floor(frozen.wallUs / 1000) - this.wallMs();
  }

  /** Begins at another time than the machine's; before any node follows. */
  begin(nowMs: number): void {
    this.hand.offsetMs = nowMs - this.base.wallMs();
  }

  /** Takes a node along. Returns what ends that. */
  follow(follower: ClockFollower): () => void {
    this.hand.followers.add(follower);
    return () => this.hand.followers.delete(follower);
  }

  private shift(milliseconds: number): void {
    const { frozen } = this.hand;
    if (frozen === undefined) this.hand.offsetMs += milliseconds;
    else
      this.hand.frozen = {
        monotonicMs: frozen.monotonicMs + milliseconds,
        wallUs: frozen.wallUs + milliseconds * 1000,
      };
  }

  private async settle(): Promise<void> {
    await Promise.all([...this.hand.followers].map((follower) => follower.settle()));
  }

  // ---- as the node sees it ----

  monotonicMs(): number {
    return this.hand.frozen?.monotonicMs ?? this.base.monotonicMs() + this.hand.offsetMs;
  }

  wallMs(): number {
    return this.hand.frozen === undefined
      ? this.base.wallMs() + this.hand.offsetMs
      : Math.floor(this.hand.frozen.wallUs / 1000);
  }

  wallUs(): number {
    if (this.hand.frozen !== undefined) return this.hand.frozen.wallUs;
    return (this.base.wallUs?.() ?? this.base.wallMs() * 1000) + this.hand.offsetMs * 1000;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.base.setTimer(delayMs, callback);
  }

  afterInput(callback: () => void): void {
    this.base.afterInput(callback);
  }
}
