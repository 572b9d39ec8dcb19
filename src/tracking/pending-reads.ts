/**
 * Reads whose reply comes later than the state that it shows, so that keys may change in between: reads that
 * the leader answers for a follower. The client is told of such a change behind the reply, where it drops
 * what the reply gave it.
 */

export class PendingRead {
  /** Whether each key has changed since. */
  readonly changes = new Map<string, boolean>();

  constructor(
    readonly clientId: number,
    keys: readonly string[],
  ) {
    for (const key of keys) this.changes.set(key, false);
  }

  /** The keys that have changed, or have not, as asked. */
  keys(changed: boolean): string[] {
    return [...this.changes].filter(([, hasChanged]) => hasChanged === changed).map(([key]) => key);
  }
}

export class PendingReads {
  private readonly byKey = new Map<string, Set<PendingRead>>();

  get isEmpty(): boolean {
    return this.byKey.size === 0;
  }

  begin(clientId: number, keys: readonly string[]): PendingRead {
    const read = new PendingRead(clientId, keys);
    for (const key of read.changes.keys()) {
      const reads = this.byKey.get(key);
      if (reads === undefined) this.byKey.set(key, new Set([read]));
      else reads.add(read);
    }
    return read;
  }

  end(read: PendingRead): void {
    for (const key of read.changes.keys()) {
      const reads = this.byKey.get(key);
      reads?.delete(read);
      if (reads?.size === 0) this.byKey.delete(key);
    }
  }

  changed(key: string): void {
    for (const read of this.byKey.get(key) ?? []) read.changes.set(key, true);
  }

  allChanged(): void {
    for (const [key, reads] of this.byKey) for (const read of reads) read.changes.set(key, true);
  }
}
