/** What the commands that wait have in common: their timeout and the keys that they wait for. */

import { int64Max } from '../numbers/int64.js';
import {
  ceilLongDouble,
  isFiniteLongDouble,
  multiplyLongDouble,
  parseLongDouble,
} from '../numbers/long-double.js';
import { errors } from '../protocol/errors.js';
import type { Request } from '../protocol/request.js';

/**
 * Reads argument `index` as a timeout in seconds, fractions allowed, rounded up to a millisecond.
 *
 * @returns the deadline in milliseconds of logged time, or 0: for ever
 */
export function parseDeadline(request: Request, index: number, nowMs: number): number {
  const seconds = parseLongDouble(request.numberText(index));
  if (seconds === undefined) throw errors.timeoutNotFloat;
  const scaled = multiplyLongDouble(seconds, 1000);
  if (!isFiniteLongDouble(scaled)) throw errors.timeoutNegative;
  const milliseconds = ceilLongDouble(scaled);
  // What does not fit 64 bits has wrapped to a negative number in Redis.
  if (milliseconds < 0n || milliseconds > int64Max) throw errors.timeoutNegative;
  return milliseconds === 0n ? 0 : nowMs + Number(milliseconds);
}

/** The keys at arguments `first` to `last` as latin1 strings, each once. */
export function distinctKeys(request: Request, first: number, last: number): string[] {
  const keys = new Set<string>();
  for (let i = first; i <= last; i++) keys.add(request.latin1(i));
  return [...keys];
}
