/**
 * What SCAN, SSCAN, HSCAN and ZSCAN share: their options, and the walk over a dictionary's slots.
 *
 * The law of the walk. Slots are visited downward; a cursor c > 0 says that the slots below min(c, size)
 * remain, and 0 starts at the size. An entry never moves to a higher slot: removal moves the last one down
 * into the hole, insertion appends. So whatever was there when the walk began and still is, is either visited
 * already or lies below the cursor: it is returned, once or more often.
 */

import { globMatches, matchesEverything } from '../glob.js';
import { errors } from '../protocol/errors.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';
import type { Dictionary, Slot } from '../storage/dictionary.js';

const DEFAULT_COUNT = 10;
const UINT64_LIMIT = 1n << 64n;

/**
 * Argument `index` as a cursor: what C's strtoul takes, a leading blank excepted. Throws `ERR invalid
 * cursor`.
 */
export function parseCursor(request: Request, index: number): number {
  const text = request.numberText(index).split('\0', 1)[0];
  if (text === '') return 0;
  const match = /^([+-]?)([0-9]+)$/.exec(text);
  if (match === null) throw errors.invalidCursor;
  // Past 2^53 a cursor is beyond every size; only the limit of 64 bits needs exactness.
  if (match[2].length < 16) {
    const value = Number(match[2]);
    return match[1] === '-' && value > 0 ? Number(UINT64_LIMIT - BigInt(value)) : value;
  }
  const value = BigInt(match[2]);
  if (value >= UINT64_LIMIT) throw errors.invalidCursor;
  return Number(match[1] === '-' ? BigInt.asUintN(64, -value) : value);
}

/** COUNT, MATCH and, for SCAN, TYPE. */
export class ScanOptions {
  count = DEFAULT_COUNT;
  /** The pattern, unless everything matches. */
  pattern: View | undefined;
  /** The name given to TYPE in lower case: Redis 7.0 takes any, one that names no type has no keys. */
  type: string | undefined;

  /** Whether an element's bytes match. */
  matches(element: View): boolean {
    return this.pattern === undefined || globMatches(this.pattern, element);
  }
}

/** Reads the options from argument `from` on. Throws a syntax error, or that COUNT is no integer. */
export function parseScanOptions(request: Request, from: number, takesType = false): ScanOptions {
  const options = new ScanOptions();
  for (let i = from; i < request.count; i += 2) {
    if (i + 1 === request.count) throw errors.syntax;
    if (request.is(i, 'COUNT')) {
      options.count = request.integer(i + 1);
      if (options.count < 1) throw errors.syntax;
    } else if (request.is(i, 'MATCH')) {
      const pattern = request.view(i + 1);
      options.pattern = matchesEverything(pattern) ? undefined : pattern;
    } else if (takesType && request.is(i, 'TYPE')) {
      options.type = request.option(i + 1).toLowerCase();
    } else throw errors.syntax;
  }
  return options;
}

/**
 * Visits the next `count` slots.
 *
 * @returns the cursor to go on from, 0 when all slots were visited
 */
export function scanSlots(
  dictionary: Pick<Dictionary, 'size'>,
  cursor: number,
  count: number,
  visit: (slot: Slot) => void,
): number {
  const top = cursor === 0 ? dictionary.size : Math.min(cursor, dictionary.size);
  const bottom = Math.max(0, top - count);
  for (let slot = top - 1; slot >= bottom; slot--) visit(slot);
  return bottom;
}

/** A SCAN command's reply: the next cursor and the elements. */
export function scanReply(cursor: number, elements: readonly Reply[]): Reply {
  return [`${cursor}`, elements];
}
