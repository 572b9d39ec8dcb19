/**
 * Broadcast mode: clients are told of every key with a prefix, in one message for all that changed together.
 */

/** A prefix that clients follow, and the keys with it that have changed since they were last told. */
class Prefix<Client> {
  readonly clients = new Set<Client>();
  /** With the client of this node that changed it last, 0 for anybody else. */
  changed = new Map<string, number>();
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;

export class Broadcast<Client> {
  private readonly prefixes = new Map<string, Prefix<Client>>();
  private hasChanged = false;
  /** In the order of their prefixes, as Redis tells of them; undefined until it is asked for. */
  private sorted: readonly Prefix<Client>[] | undefined;

  /** How many prefixes anybody follows. */
  get size(): number {
    return this.prefixes.size;
  }

  add(prefix: string, client: Client): void {
    let entry = this.prefixes.get(prefix);
    if (entry === undefined) {
      entry = new Prefix();
      this.prefixes.set(prefix, entry);
      this.sorted = undefined;
    }
    entry.clients.add(client);
  }

  delete(prefix: string, client: Client): void {
    const entry = this.prefixes.get(prefix);
    entry?.clients.delete(client);
    if (entry?.clients.size !== 0) return;
    this.prefixes.delete(prefix);
    this.sorted = undefined;
  }

  note(key: string, actorId: number): void {
    for (const [prefix, { changed }] of this.prefixes) {
      if (!key.startsWith(prefix)) continue;
      changed.set(key, actorId);
      this.hasChanged = true;
    }
  }

  /** Forgets what has changed: all has. */
  clear(): void {
    for (const entry of this.prefixes.values()) entry.changed = new Map();
    this.hasChanged = false;
  }

  /** Hands over what has changed, prefix by prefix; prefixes and keys in the order of their bytes. */
  take(tell: (client: Client, changed: ReadonlyMap<string, number>) => void): void {
    if (!this.hasChanged) return;
    this.hasChanged = false;
    this.sorted ??= [...this.prefixes].sort(byName).map(([, entry]) => entry);
    for (const entry of this.sorted) {
      if (entry.changed.size === 0) continue;
      const changed = entry.changed.size === 1 ? entry.changed : new Map([...entry.changed].sort(byName));
      entry.changed = new Map();
      for (const client of entry.clients) tell(client, changed);
    }
  }
}

/** Two prefixes of one client of which one begins with the other: it would be told twice. */
export interface Overlap {
  readonly prefix: string;
  readonly other: string;
  /** Whether the other one is in force already. */
  readonly isPresent: boolean;
}

/** The first overlap of `wanted` prefixes with each other and with those `present`. */
export function findOverlap(wanted: readonly string[], present: ReadonlySet<string>): Overlap | undefined {
  const overlaps = (a: string, b: string): boolean => a.startsWith(b) || b.startsWith(a);
  for (const [i, prefix] of wanted.entries()) {
    for (const other of present) if (overlaps(prefix, other)) return { prefix, other, isPresent: true };
    for (const other of wanted.slice(i + 1))
      if (overlaps(prefix, other)) return { prefix, other, isPresent: false };
  }
  return undefined;
}
