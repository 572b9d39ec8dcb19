import type { Request } from './protocol/request.js';

/**
 * Settings that apply reads: replicated state. They enter by an entry (the first one of a cluster, then
 * CONFIG SET) and travel in snapshots; the names are Redis's configuration parameters.
 */
export interface Settings {
  databases: number;
  'hash-max-listpack-entries': number;
  'hash-max-listpack-value': number;
  'list-max-listpack-size': number;
  'list-compress-depth': number;
  'set-max-intset-entries': number;
  'zset-max-listpack-entries': number;
  'zset-max-listpack-value': number;
  'stream-node-max-bytes': number;
  'stream-node-max-entries': number;
  'hll-sparse-max-bytes': number;
  'proto-max-bulk-len': number;
  /** Steps that a script may take: see `engine/scripting/`. */
  'lua-step-limit': number;
  /**
   * The classes of keyspace notifications, a bit for each letter of {@link keyEventLetters}. The engine only
   * keeps it for the cluster.
   */
  'notify-keyspace-events': number;
  /**
   * Whether entries delete keys whose deadline has passed before a command meets them (DEBUG
   * SET-ACTIVE-EXPIRE).
   */
  'active-expire': number;
  /**
   * When a write is acknowledged: its place in {@link durabilityLevels}. The engine only keeps it for the
   * cluster.
   */
  durability: number;
  /**
   * Whether clients are shown a Redis Cluster of one shard, 1 or 0. The engine only keeps it for the cluster.
   */
  'cluster-enabled': number;
  /** How many followers must have answered of late for a write to be taken; 0: that is not asked. */
  'min-replicas-to-write': number;
  /** How many seconds ago at most they must have. The engine only keeps both for the cluster. */
  'min-replicas-max-lag': number;
}

/**
 * Letters of `notify-keyspace-events`, from the lowest bit on: the classes of events, then keyspace and
 * keyevent channels.
 */
export const keyEventLetters = 'g$lshzxetdnmKE';

/** Left to the system, synced each second, synced before the acknowledgement. */
export const durabilityLevels = ['low', 'medium', 'high'] as const;

export const defaultSettings: Readonly<Settings> = {
  databases: 16,
  'hash-max-listpack-entries': 512,
  'hash-max-listpack-value': 64,
  'list-max-listpack-size': -2,
  'list-compress-depth': 0,
  'set-max-intset-entries': 512,
  'zset-max-listpack-entries': 128,
  'zset-max-listpack-value': 64,
  'stream-node-max-bytes': 4096,
  'stream-node-max-entries': 100,
  'hll-sparse-max-bytes': 3000,
  // V8's longest string is 24 bytes short of Redis's 512 MB; one limit for all nodes.
  'proto-max-bulk-len': 512 * 1024 * 1024 - 24,
  'lua-step-limit': 20_000_000,
  'notify-keyspace-events': 0,
  'active-expire': 1,
  durability: 2,
  'cluster-enabled': 1,
  'min-replicas-to-write': 0,
  'min-replicas-max-lag': 10,
};

/**
 * Sets names to values that alternate in a request. Names that this release does not know belong to a later
 * behaviour level, which it is not asked to follow.
 */
export function applySettings(settings: Settings, request: Request): void {
  for (let i = 0; i + 1 < request.count; i += 2) {
    const name = request.latin1(i);
    if (isSetting(name)) settings[name] = Number(request.latin1(i + 1));
  }
}

/**
 * Whether a name is one of a setting: what a log, a snapshot or a file says is no name of an object's
 * prototype.
 */
export function isSetting(name: string): name is keyof Settings {
  return Object.hasOwn(defaultSettings, name);
}
