/**
 * What clients saw of keys that expire, and what must hold of it: a time to live never lengthens, and what
 * died stays dead.
 */

export interface ExpiringWrite {
  readonly key: string;
  readonly value: string;
  readonly lifetimeMs: number;
  readonly invokedAt: number;
  /** Infinity: outcome unknown. */
  readonly returnedAt: number;
}

export interface ExpiringRead {
  readonly key: string;
  readonly value: string | null;
  readonly ttlMs: number;
  readonly invokedAt: number;
  readonly returnedAt: number;
}

export interface TtlHistory {
  readonly writes: ExpiringWrite[];
  readonly reads: ExpiringRead[];
}

/**
 * Each key is written once at most. `skewMs` is how far the machines' clocks were apart at the worst.
 *
 * @returns what is wrong, or undefined
 */
export function checkTtl({ writes, reads }: TtlHistory, skewMs: number): string | undefined {
  const readsOf = new Map<string, ExpiringRead[]>();
  for (const read of reads) {
    const known = readsOf.get(read.key);
    if (known === undefined) readsOf.set(read.key, [read]);
    else known.push(read);
  }
  const writeOf = new Map(writes.map((write) => [write.key, write]));
  for (const [key, all] of readsOf) {
    const wrong = checkKey(key, writeOf.get(key), all, skewMs);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function checkKey(
  key: string,
  write: ExpiringWrite | undefined,
  reads: readonly ExpiringRead[],
  skewMs: number,
): string | undefined {
  for (const read of reads) {
    const at = `${key} read at ${read.invokedAt.toFixed(1)}-${read.returnedAt.toFixed(1)}`;
    if (read.value === null) {
      if (read.ttlMs !== -2) return `${at}: no value, but a time to live of ${read.ttlMs}`;
      const isEarly =
        write !== undefined &&
        write.returnedAt < read.invokedAt &&
        read.returnedAt < write.invokedAt + write.lifetimeMs - skewMs;
      if (isEarly) return `${at}: gone, written at ${write.invokedAt.toFixed(1)} for ${write.lifetimeMs} ms`;
    } else {
      if (write === undefined || read.value !== write.value || read.returnedAt < write.invokedAt) {
        return `${at}: holds ${read.value}, which was not written`;
      }
      if (read.ttlMs < 0) return `${at}: a value, but a time to live of ${read.ttlMs}`;
      if (read.ttlMs > write.lifetimeMs) return `${at}: ${read.ttlMs} ms of ${write.lifetimeMs} left`;
    }
    for (const earlier of reads) {
      if (earlier.returnedAt >= read.invokedAt || read.value === null) continue;
      if (earlier.value === null) {
        const wasWritten =
          (write !== undefined && write.returnedAt < earlier.invokedAt) ||
          reads.some((one) => one.value !== null && one.returnedAt < earlier.invokedAt);
        if (wasWritten) return `${at}: it was gone at ${earlier.returnedAt.toFixed(1)} and is back`;
      } else if (read.ttlMs > earlier.ttlMs + skewMs) {
        return `${at}: its time to live grew from ${earlier.ttlMs} to ${read.ttlMs}`;
      }
    }
  }
  return undefined;
}
