/**
 * Makes a failing list smaller while it still fails (delta debugging, Zeller 1999: remove chunks, halve them,
 * repeat).
 */

/**
 * @param items a list for which `fails` holds
 * @param fails whether a shorter list still fails; may also say how much of the list it needed, as a length
 * @param attemptsMax bound on calls of `fails`
 * @returns a list from which no single item can be dropped (unless attempts ran out)
 */
export async function shrinkList<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<number | false>,
  attemptsMax = 2_000,
): Promise<T[]> {
  let current = [...items];
  let chunk = Math.ceil(current.length / 2);
  let attempts = 0;
  while (chunk >= 1 && attempts < attemptsMax) {
    let removed = false;
    // From the end: what comes late seldom matters to what fails.
    for (let end = current.length; end > 0 && attempts < attemptsMax; end -= chunk) {
      const start = Math.max(0, end - chunk);
      const candidate = [...current.slice(0, start), ...current.slice(end)];
      if (candidate.length === 0) continue;
      attempts++;
      const needed = await fails(candidate);
      if (needed === false) continue;
      current = candidate.slice(0, needed);
      removed = true;
      end = Math.min(end, current.length + chunk);
    }
    if (!removed || chunk > current.length) chunk = chunk === 1 ? 0 : Math.ceil(chunk / 2);
  }
  return current;
}
