/** Who a node in this process is, where others reach it, and what it proves. */
import {
  type Clock,
  type DataDirectory,
  drawClusterId,
  drawIdentity,
  drawNodeId,
  type Identity,
  type PeerCredentials,
} from '../../raft/node/index.js';
import { findCluster, reachableHost } from '../cluster/join.js';
import { type PeerDoor, refusesPeer } from '../net/peer-admission.js';
import type { Entrance } from '../net/port.js';
import type { Log } from '../observability/log.js';
import type { RedraftOptions } from './options.js';

const MAX_CLIENTS = 10_000;

/** As they were given. */
export function secretsOf({ clusterSecret = [] }: RedraftOptions): readonly string[] {
  return typeof clusterSecret === 'string' ? [clusterSecret] : clusterSecret;
}

/** host:port under which others reach a node that listens on `port`. */
export function advertisedAddress({ advertise, host = '127.0.0.1' }: RedraftOptions, port: number): string {
  if (advertise !== undefined) return advertise;
  const reachable = reachableHost(host);
  return `${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * The identity in the directory, or a new one: of a node that joins a cluster, or of one that founds its own.
 * Further, the addresses of the cluster that has invited it.
 */
export async function identityFor(
  directory: DataDirectory | undefined,
  options: RedraftOptions,
  door: PeerDoor,
  credentials: PeerCredentials,
  joinAddresses: readonly string[],
  port: Entrance,
  clock: Clock,
  log: Log,
): Promise<{ readonly identity: Identity; readonly invited: readonly string[] }> {
  if (directory?.identity !== undefined) return { identity: await directory.countStart(), invited: [] };
  const nodeId = drawNodeId();
  const ownAddress = advertisedAddress(options, port.number!);
  let identity: Identity;
  let invited: readonly string[] = [];
  if (joinAddresses.length > 0) {
    const found = await findCluster(
      {
        nodeId,
        credentials,
        refusesPeer: (socket) => refusesPeer(door, socket),
        maxClients: options.maxClients ?? MAX_CLIENTS,
        addresses: joinAddresses,
        ownAddress,
        clock,
        log,
        isStopped: () => false,
      },
      port,
    );
    identity = drawIdentity(found.clusterId, nodeId, { members: [], removed: [] });
    invited = found.addresses;
  } else {
    const members = [{ id: nodeId, address: ownAddress, learner: false }];
    identity = drawIdentity(drawClusterId(), nodeId, { members, removed: [] });
  }
  identity = { ...identity, starts: 1 };
  await directory?.establish(identity);
  return { identity, invited };
}
