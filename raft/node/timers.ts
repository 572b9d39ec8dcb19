/**
 * The host's timers and clocks as they were when this was loaded. A test suite may put its own in place of
 * the global ones (Jest, Vitest, Sinon): a node in its process must go on all the same.
 */
import { performance as hostPerformance } from 'node:perf_hooks';
import * as host from 'node:timers';

export const { setTimeout, clearTimeout, setInterval, setImmediate } = host;

/** Milliseconds since the process began, which never go backwards. */
export const monotonicNow = hostPerformance.now.bind(hostPerformance);

/** Milliseconds since 1970, as the machine believes. */
export const wallNow = Date.now.bind(Date);

/** Microseconds since 1970. */
export const wallNowUs = (): number => Math.floor((hostPerformance.timeOrigin + monotonicNow()) * 1000);

const settled = Promise.resolve();

/** As the global one, which suites replace before anything of this program is loaded. */
export function queueMicrotask(callback: () => void): void {
  void settled.then(callback);
}
