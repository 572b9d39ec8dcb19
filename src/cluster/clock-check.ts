/**
 * Whether a node's clock may be believed. A leader's clock stamps the log, and a stamp that lies decades
 * ahead would end every time-to-live; one that lies behind does no harm, because logged time never goes back
 * and moves on by itself.
 */

/** How far a clock may be from its peers'. */
export const CLOCK_LIMIT_MS = 5000;

/**
 * Judges this node's clock. With only two clocks known, nobody can tell which of them is wrong; the one that
 * is ahead gives way.
 *
 * @param offsetsMs how far each peer's clock is ahead of this node's
 * @param voters voters of the cluster
 */
export function judgeClock(offsetsMs: readonly number[], voters: number): 'sound' | 'unsound' | 'unknown' {
  if (voters <= 1) return 'sound';
  if (offsetsMs.length === 0) return 'unknown';
  if (offsetsMs.length === 1) return offsetsMs[0] < -CLOCK_LIMIT_MS ? 'unsound' : 'sound';
  const clocks = [0, ...offsetsMs].sort((a, b) => a - b);
  const low = clocks[Math.floor((clocks.length - 1) / 2)];
  const high = clocks[Math.ceil((clocks.length - 1) / 2)];
  return Math.abs((low + high) / 2) > CLOCK_LIMIT_MS ? 'unsound' : 'sound';
}
