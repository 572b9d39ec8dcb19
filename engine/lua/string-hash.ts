import { counters } from './limits.js';

/**
 * The hash by which Lua places strings in tables. Redis's reads every byte, where plain 5.1 takes at most 32:
 * `pairs` shows it.
 */
export function hashString(text: string): number {
  const { length } = text;
  // Who looks a long key up compares it, too.
  if (length > 64) counters.s -= length >> 4;
  let hash = length;
  for (let at = length - 1; at >= 0; at--) hash ^= (hash << 5) + (hash >>> 2) + text.charCodeAt(at);
  return hash;
}
