/**
 * Reads whose reply comes later than the state that it shows, so that keys may change in between: reads that the leader answers for a
 * follower, and those of a transaction in the log. The client is told of such a change behind the reply, where it drops what the reply
 * gave it.
 */

const OTHERS = 1;
const OWN = 2;

export class PendingRead {
  /** Who has changed each key since. */
  readonly changes = new Map<string, number>();

  constructor(
    readonly clientId: number,
    keys: readonly string[],
  ) {
    for (const key of keys) this.changes.set(key, 0);
  }

  /** The keys that others have changed, or none has, as asked. */
  keys(changed: boolean): string[] {
    const found: string[] = [];
    for (const [key, by] of this.changes) if (changed ? (by & OTHERS) !== 0 : by === 0) found.push(key);
    return found;
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

  /** @param isOwn whether a client does not want to hear of this change, since it is its own */
  changed(key: string, isOwn: (clientId: number) => boolean): void {
    for (const read of this.byKey.get(key) ?? [])
      read.changes.set(key, read.changes.get(key)! | (isOwn(read.clientId) ? OWN : OTHERS));
  }

  allChanged(): void {
    for (const [key, reads] of this.byKey) for (const read of reads) read.changes.set(key, OTHERS);
  }
}
