/** Time as the body of the consensus core sees it; a simulator supplies its own. */
import { clearTimeout, monotonicNow, setImmediate, setTimeout, wallNow, wallNowUs } from './timers.js';

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds that never go backwards. */
  monotonicMs(): number;
  /** Milliseconds since 1970, as the machine believes. */
  wallMs(): number;
  /** The same in microseconds. Default: what {@link wallMs} says. */
  wallUs?(): number;
  /** Calls back once, after `delayMs` at the earliest. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /**
   * Calls back after input that has already arrived was handled, so that silence is not judged before it was
   * listened to.
   */
  afterInput(callback: () => void): void;
}

/** The machine's own clock. Its timers keep the process alive until they fire or are cancelled. */
export const nodeClock: Clock = {
  monotonicMs: monotonicNow,
  wallMs: wallNow,
  wallUs: wallNowUs,
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  afterInput: (callback) => {
    setImmediate(callback);
  },
};

/** The machine's own clock, whose timers keep no process alive. */
export const backgroundClock: Clock = {
  ...nodeClock,
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
