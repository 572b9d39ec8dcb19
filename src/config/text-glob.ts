/** Redis's glob on text, for names that the program knows (parameters, commands). */

import { globMatches, viewOf } from '../../engine/index.js';

/** Whether `text` matches `pattern`, both latin1, ASCII case aside. */
export function matchesIgnoringCase(pattern: string, text: string): boolean {
  return globMatches(viewOf(pattern), viewOf(text), true);
}
