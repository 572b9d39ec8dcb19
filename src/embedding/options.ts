/** What a node in this process is started with. */
import type { Settings } from '../../engine/index.js';
import type { Clock, Durability, RecoveryProgress } from '../../raft/node/index.js';
import type { Consistency } from '../client/consistency.js';
import type { FollowerMode } from '../discovery/leader-guide.js';
import type { Log } from '../observability/log.js';
import type { TlsOptions } from './tls-options.js';

export interface RedraftOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Port to listen on; 0, the default, takes any that is free. */
  readonly port?: number;
  /** TLS for clients; without it they speak plain TCP. */
  readonly tls?: TlsOptions;
  /**
   * False: there is no port; clients come by {@link Redraft.connect} and {@link Redraft.ioredisConnector},
   * and the node keeps no process alive. `port` is then what it says of itself. Default true.
   */
  readonly listen?: boolean;
  /** host:port under which clients and peers reach this node. Default: what it listens on. */
  readonly advertise?: string;
  /**
   * host:port of nodes of the cluster to join, any of them. The start then resolves once this node votes.
   * Right on every later start, too; without it a new node founds a cluster of its own.
   */
  readonly join?: string | readonly string[];
  /**
   * Nodes prove to each other that they know it. Without one, peers come from this machine only, and none
   * where clients are asked for a password; `none` lets in any peer. Of several the first is proved, and each
   * of them is taken: while a secret is changed.
   */
  readonly clusterSecret?: string | readonly string[];
  /** Directory for log and snapshots. Without one everything stays in memory. */
  readonly dir?: string;
  /**
   * When a write is acknowledged: after it is synced to disk (high, the default), with a sync each second, or
   * left to the system.
   */
  readonly durability?: Durability;
  /** How fresh reads are: linearizable (high, the default), the leader's own state, or any node's. */
  readonly consistency?: Consistency;
  /**
   * What a follower does with a command that is the leader's: answer -TRY with its address (the default),
   * -MOVED as a node of Redis Cluster, -READONLY as a replica, or pass it on.
   */
  readonly follower?: FollowerMode;
  readonly password?: string;
  /**
   * Users of a cluster that this node founds, each a line as in a config file: `user alice on >secret ~a:*
   * +@all`.
   */
  readonly users?: readonly string[];
  readonly maxClients?: number;
  readonly settings?: Partial<Settings>;
  /** Further configuration parameters by Redis's names, as CONFIG SET takes them. */
  readonly configuration?: Readonly<Record<string, string>>;
  /** The file that CONFIG REWRITE brings up to date. */
  readonly configFile?: string;
  /** A snapshot is taken when this many bytes of log have been applied since the last one. */
  readonly snapshotLogBytes?: number;
  readonly snapshotIntervalMs?: number;
  /**
   * Without a leader for longer than this, and at most twice this, a follower stands for election. Default
   * 500.
   */
  readonly electionTimeoutMs?: number;
  /** Default 100, or less where the election timeout is short. */
  readonly heartbeatMs?: number;
  /**
   * Whether nothing passes between this node and a peer of an id: how `Redraft.cluster` parts its nodes.
   * Nodes that are given it are taken to share an event loop, so that none says by a thread of its own that
   * it lives.
   */
  readonly isCut?: (peer: number) => boolean;
  /**
   * The highest behaviour level that the node is to know. Default: what this release knows. A lower one keeps
   * the cluster where releases before can still join it (docs/UPGRADE.md).
   */
  readonly behaviourLevel?: number;
  /** How often at most the leader compares its state with its followers'. Default 60000. */
  readonly digestIntervalMs?: number;
  /**
   * The time by which the node lives, or one that several nodes share and a test moves. Default: the
   * machine's.
   */
  readonly clock?: Clock;
  /**
   * The time at the start as clients see it (a Date, or milliseconds since 1970), from which it goes on.
   * Default: the clock's.
   */
  readonly now?: Date | number;
  /**
   * Makes SPOP and its kin choose alike in every run that sends the same commands one after the other. A
   * 32-bit number.
   */
  readonly seed?: number;
  /** Whether {@link Redraft.commands} takes down what clients send from the first on. */
  readonly recordCommands?: boolean;
  readonly log?: Log;
  /**
   * Called when the node can no longer keep its promises (disk failure, broken invariant). It has stopped
   * answering by then.
   */
  readonly onFailure?: (error: Error) => void;
  /** Called when a client asks for SHUTDOWN. */
  readonly onShutdown?: () => void;
  readonly onRecovery?: (progress: RecoveryProgress) => void;
  /** Called when the node leads, follows or waits for a vote from now on. */
  readonly onRole?: (role: Role) => void;
}

/** What a node is in its cluster at a time. A candidate knows no leader. */
export type Role = 'leader' | 'follower' | 'candidate' | 'learner';

/** Complete by its type. */
const optionNames: Readonly<Record<keyof RedraftOptions, true>> = {
  host: true,
  port: true,
  tls: true,
  listen: true,
  advertise: true,
  join: true,
  clusterSecret: true,
  dir: true,
  durability: true,
  consistency: true,
  follower: true,
  password: true,
  isCut: true,
  behaviourLevel: true,
  digestIntervalMs: true,
  users: true,
  maxClients: true,
  settings: true,
  configuration: true,
  configFile: true,
  snapshotLogBytes: true,
  snapshotIntervalMs: true,
  electionTimeoutMs: true,
  heartbeatMs: true,
  clock: true,
  now: true,
  seed: true,
  recordCommands: true,
  log: true,
  onFailure: true,
  onShutdown: true,
  onRecovery: true,
  onRole: true,
};

/** @throws TypeError for an option of an unknown name */
export function checkOptions(options: RedraftOptions): void {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(optionNames, name)) throw new TypeError(`Redraft.start() has no option '${name}'`);
  }
}
