/** Time as the body of the consensus core sees it; a simulator supplies its own. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds that never go backwards. */
  monotonicMs(): number;
  /** Milliseconds since 1970, as the machine believes. */
  wallMs(): number;
  /** Calls back once, after `delayMs` at the earliest. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Calls back after input that has already arrived was handled, so that silence is not judged before it was listened to. */
  afterInput(callback: () => void): void;
}

/** The machine's own clock. Its timers keep the process alive until they fire or are cancelled. */
export const nodeClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  afterInput: (callback) => {
    setImmediate(callback);
  },
};
