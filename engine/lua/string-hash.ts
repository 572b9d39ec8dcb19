import { counters } from './limits.js';

/** The hash by which Lua 5.1 places strings in tables: of at most 32 of the bytes, from the end. */
export function hashString(text: string): number {
  const { length } = text;
  // Who looks a long key up compares it, too.
  if (length > 256) counters.s -= length >> 6;
  let hash = length;
  const step = (length >> 5) + 1;
  for (let at = length; at >= step; at -= step) {
    hash ^= (hash << 5) + (hash >>> 2) + text.charCodeAt(at - 1);
  }
  return hash;
}
