/** What a server is put together with. */

import type { Clock } from '../raft/node/index.js';
import type { Consistency } from './client/consistency.js';
import type { NodeUsersOptions } from './client/node-users.js';
import type { Cluster } from './cluster/cluster.js';
import type { Configuration } from './config/configuration.js';
import type { FollowerMode } from './discovery/leader-guide.js';
import type { NodeTls } from './net/tls-port.js';
import type { Log } from './observability/log.js';

export interface ServerOptions extends NodeUsersOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly configuration: Configuration;
  /** Of a node that speaks TLS. */
  readonly tls?: NodeTls;
  readonly clusterId: string;
  /** What CONFIG REWRITE writes to. */
  readonly configFile?: string;
  readonly consistency: Consistency;
  readonly follower: FollowerMode;
  readonly log: Log;
  /** Replaces the engine by one that is restored from a cut of it. */
  readonly reload: () => void;
  /** The digest of the state at an index to come, or now. */
  readonly digest: (index?: number) => Promise<{ readonly index: number; readonly digest: string }>;
  /** Where files lie that are sent to replicas of Redis. Default: the machine's temporary directory. */
  readonly workDirectory?: string;
  readonly clock: Clock;
  /**
   * What stamps the log, and what clients take for the time, where that is not the clock by which the node
   * lives.
   */
  readonly time?: Clock;
  /** 32 random bits, to seed what an entry draws at random. */
  readonly randomSeed: () => number;
  /** This node's part in its cluster; without it there are no peers. */
  readonly cluster?: Cluster;
  /** A client asked for the end. */
  readonly shutdown: () => void;
}
