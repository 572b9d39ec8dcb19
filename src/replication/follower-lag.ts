/** How long ago followers acknowledged something, and how many did of late. */
import type { Engine } from '../../engine/index.js';
import type { PeerStatus } from '../../raft/index.js';
import type { RaftNode } from '../../raft/node/index.js';

/** What it needs of the node. */
export interface FollowerLagHost {
  readonly engine: Engine;
  readonly node: Pick<RaftNode, 'status' | 'tickMs'>;
}

/** Whole seconds since a follower was heard from. */
export const silentSeconds = ({ silentTicks }: PeerStatus, tickMs: number): number =>
  Math.floor((silentTicks * tickMs) / 1000);

/** How many followers count for `min-replicas-to-write`; undefined where nobody asks. */
export function goodFollowers({ engine, node }: FollowerLagHost): number | undefined {
  const { settings } = engine.keyspace;
  const lagMax = settings['min-replicas-max-lag'];
  if (settings['min-replicas-to-write'] === 0 || lagMax === 0) return undefined;
  return node.status().peers.filter((peer) => isGood(peer, lagMax, node.tickMs)).length;
}

/** A follower that is being sent a snapshot has nothing yet; one without a vote is only on its way. */
function isGood(peer: PeerStatus, lagMaxSeconds: number, tickMs: number): boolean {
  return !peer.learner && peer.state !== 'snapshot' && silentSeconds(peer, tickMs) <= lagMaxSeconds;
}
