/** How commands state when a key goes: the rules that SET, SETEX, GETEX and the EXPIRE family share. */

import type { Int64 } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';

/** EX and PX count from now in seconds and milliseconds; EXAT and PXAT are points in time. */
export type ExpireUnit = 'EX' | 'PX' | 'EXAT' | 'PXAT';

const MAX = (1n << 63n) - 1n;

/**
 * The absolute deadline in milliseconds that an argument means. Deadlines are doubles: exact to the
 * millisecond until the year 287396. Throws `invalid expire time` when the amount is not positive or its
 * deadline would not fit 64 bits.
 */
export function deadlineFrom(amount: Int64, unit: ExpireUnit, nowMs: number, command: string): number {
  if (amount <= 0) throw errors.invalidExpire(command);
  return deadlineOfAny(amount, unit, nowMs, command);
}

/** {@link deadlineFrom} for EXPIRE and its forms, which also take amounts in the past. */
export function deadlineOfAny(amount: Int64, unit: ExpireUnit, nowMs: number, command: string): number {
  const inSeconds = unit === 'EX' || unit === 'EXAT';
  const relative = unit === 'EX' || unit === 'PX';
  // Small amounts, which are all that people use, need no 64-bit arithmetic.
  if (typeof amount === 'number' && Math.abs(amount) < 1e12) {
    const milliseconds = inSeconds ? amount * 1000 : amount;
    return relative ? milliseconds + nowMs : milliseconds;
  }
  let exact = BigInt(amount);
  if (inSeconds) exact *= 1000n;
  if (exact > MAX || exact < -MAX - 1n) throw errors.invalidExpire(command);
  if (relative) exact += BigInt(nowMs);
  if (exact > MAX) throw errors.invalidExpire(command);
  return Number(exact);
}
