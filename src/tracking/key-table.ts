/** Which clients read which keys. Its size is bounded by `tracking-table-max-keys`. */

/** Many small maps: one that grows past a million keys would stop the node while it does. */
const SHARDS = 256;
/** What a key takes beside its name, and each client of it. */
const KEY_BYTES = 96;
const CLIENT_BYTES = 32;

/**
 * Most keys are read by one client, which needs no set. Ids of clients that are gone stay until the key
 * changes.
 */
type Readers = number | Set<number>;

function shardOf(key: string): number {
  let hash = key.length;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) & (SHARDS - 1);
}

export class KeyTable {
  /** Keys in it. */
  size = 0;
  /** Pairs of key and client. */
  items = 0;
  /** What it takes. */
  bytes = 0;
  private shards = Array.from({ length: SHARDS }, () => new Map<string, Readers>());
  private nextVictimShard = 0;

  add(key: string, clientId: number): void {
    const shard = this.shards[shardOf(key)];
    const readers = shard.get(key);
    if (readers === undefined) {
      shard.set(key, clientId);
      this.size++;
      this.bytes += KEY_BYTES + key.length;
    } else if (typeof readers === 'number') {
      if (readers === clientId) return;
      shard.set(key, new Set([readers, clientId]));
    } else if (readers.has(clientId)) {
      return;
    } else {
      readers.add(clientId);
    }
    this.items++;
    this.bytes += CLIENT_BYTES;
  }

  /** The clients that read a key, which is forgotten. */
  take(key: string): Iterable<number> | undefined {
    const shard = this.shards[shardOf(key)];
    const readers = shard.get(key);
    if (readers === undefined) return undefined;
    shard.delete(key);
    const clients = typeof readers === 'number' ? [readers] : readers;
    const count = typeof readers === 'number' ? 1 : readers.size;
    this.size--;
    this.items -= count;
    this.bytes -= KEY_BYTES + key.length + CLIENT_BYTES * count;
    return clients;
  }

  /** Some key, if there is any: the oldest of the next map. */
  victim(): string | undefined {
    for (let tried = 0; tried < SHARDS && this.size > 0; tried++) {
      this.nextVictimShard = (this.nextVictimShard + 1) % SHARDS;
      for (const key of this.shards[this.nextVictimShard].keys()) return key;
    }
    return undefined;
  }

  clear(): void {
    this.shards = Array.from({ length: SHARDS }, () => new Map<string, Readers>());
    this.size = this.items = this.bytes = 0;
  }
}
