/**
 * Redis's glob patterns (KEYS, SCAN's MATCH, PSUBSCRIBE, CONFIG GET): `*`, `?`, `[abc]`, `[^a-z]`, `\` before
 * a byte meant literally.
 *
 * Facts that only redis-server 7.0.15 itself tells, kept here: an empty string matches the empty pattern
 * alone (`*` is a shortcut of the commands); a class that is never closed ends with the pattern; `]` may end
 * a range; ranges compare bytes as signed.
 */
import type { View } from './protocol/view.js';

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;

/** Whether a pattern is `*` alone, which commands take for "everything". */
export function matchesEverything(pattern: View): boolean {
  return pattern.end - pattern.start === 1 && pattern.buffer[pattern.start] === STAR;
}

/**
 * Whether the whole of `text` matches. Time is at most pattern times text: when the part behind a star fails
 * everywhere, no other choice for an earlier star can help.
 */
export function globMatches(pattern: View, text: View, ignoreCase = false): boolean {
  const bytes = pattern.buffer;
  const patternEnd = pattern.end;
  const textBytes = text.buffer;
  const textEnd = text.end;
  let p = pattern.start;
  let t = text.start;
  /** Behind the last star, and where in the text what follows it was last tried. */
  let afterStar = -1;
  let tried = 0;
  for (;;) {
    if (t === textEnd) {
      // Only what has matched at least one byte may leave stars over.
      if (text.start !== textEnd) while (p < patternEnd && bytes[p] === STAR) p++;
      if (p === patternEnd) return true;
    } else if (p < patternEnd) {
      const byte = bytes[p];
      if (byte === STAR) {
        while (p < patternEnd && bytes[p] === STAR) p++;
        if (p === patternEnd) return true;
        afterStar = p;
        tried = t;
        continue;
      }
      const next = byte === QUESTION ? p + 1 : matchOne(bytes, p, patternEnd, textBytes[t], ignoreCase);
      if (next >= 0) {
        p = next;
        t++;
        continue;
      }
    }
    if (afterStar < 0 || ++tried >= textEnd) return false;
    p = afterStar;
    t = tried;
  }
}

/** Matches one byte against the class or literal at `p`; where the pattern goes on, or -1. */
function matchOne(bytes: Buffer, p: number, end: number, byte: number, ignoreCase: boolean): number {
  if (bytes[p] === OPEN) return matchClass(bytes, p + 1, end, byte, ignoreCase);
  if (bytes[p] === BACKSLASH && end - p >= 2) p++;
  return same(bytes[p], byte, ignoreCase) ? p + 1 : -1;
}

function matchClass(bytes: Buffer, p: number, end: number, byte: number, ignoreCase: boolean): number {
  const negated = p < end && bytes[p] === CARET;
  if (negated) p++;
  let found = false;
  for (; p < end && bytes[p] !== CLOSE; p++) {
    if (bytes[p] === BACKSLASH && end - p >= 2) {
      p++;
      found ||= bytes[p] === byte;
    } else if (end - p >= 3 && bytes[p + 1] === DASH) {
      found ||= inRange(bytes[p], bytes[p + 2], byte, ignoreCase);
      p += 2;
    } else {
      found ||= same(bytes[p], byte, ignoreCase);
    }
  }
  return found === negated ? -1 : Math.min(p + 1, end);
}

function inRange(first: number, last: number, byte: number, ignoreCase: boolean): boolean {
  let low = signed(first);
  let high = signed(last);
  let wanted = signed(byte);
  // The ends change places before case is folded: [Z-a] ignoring case holds nothing, as in Redis.
  if (low > high) [low, high] = [high, low];
  if (ignoreCase) {
    low = lower(low);
    high = lower(high);
    wanted = lower(wanted);
  }
  return wanted >= low && wanted <= high;
}

function same(a: number, b: number, ignoreCase: boolean): boolean {
  return a === b || (ignoreCase && lower(a) === lower(b));
}

const lower = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte);
const signed = (byte: number): number => (byte << 24) >> 24;
