/** What runs of a node in this process. */
import type { DataDirectory, RaftNode } from '../../raft/node/index.js';
import type { Cluster } from '../cluster/cluster.js';
import type { NodeCredentials } from '../net/node-credentials.js';
import type { Entrance } from '../net/port.js';
import type { NodeTls } from '../net/tls-port.js';
import type { Server } from '../server.js';
import type { ServerOptions } from '../server-options.js';

/** What a start found in the data directory. */
export interface RecoverySummary {
  readonly entries: number;
  readonly snapshotIndex: number;
  readonly keys: number;
  readonly milliseconds: number;
}

/** What a start puts together, and a restart puts in its place. */
export interface Running {
  readonly server: Server;
  readonly node: RaftNode;
  readonly cluster: Cluster;
  readonly directory: DataDirectory | undefined;
  readonly port: Entrance;
  readonly tls: NodeTls | undefined;
  /** Whether {@link port} speaks TLS. */
  readonly isSecure: boolean;
  readonly plainPort: number | undefined;
  readonly credentials: NodeCredentials;
  readonly recovery: RecoverySummary;
  /** The digest of the state at an index to come, or now. */
  readonly digest: ServerOptions['digest'];
  /** Takes it off the clock. */
  readonly unfollow: () => void;
  stopped?: Promise<void>;
}

/** Ends what runs, without handing over. */
export async function end({ server, node, cluster, directory, unfollow }: Running): Promise<void> {
  unfollow();
  cluster.stop();
  server.diskSpace?.stop();
  await server.close();
  await node.stop();
  await server.ended;
  await directory?.close();
}
