/** What a client is told by a node that does not lead. */
import type { ErrorReply } from '../../engine/index.js';
import type { NodeId } from '../../raft/index.js';
import type { LeaderAddress } from '../discovery/client-addresses.js';
import type { ConsensusNode } from '../replication/consensus.js';
import { replies } from '../replies.js';
import type { Cluster } from './cluster.js';

/** Where a client should go, or why there is nowhere to go. */
export function notLeading(
  consensus: ConsensusNode,
  cluster: Cluster | undefined,
  topology: { textsOf(id: NodeId): LeaderAddress },
): ErrorReply {
  if (consensus.isTransferring) return replies.noLeader('leadership is being handed over');
  const leader = consensus.isLeader ? undefined : consensus.leaderAddress;
  if (leader !== undefined) return replies.tryLeader(topology.textsOf(consensus.leaderId));
  if (consensus.members.length === 0) return replies.noLeader('this node waits to be let into its cluster');
  const reached = cluster?.reachedVoters();
  if (reached !== undefined && reached.reached <= reached.voters / 2) {
    return replies.noLeader(`no leader is known: ${reached.reached} of ${reached.voters} members reachable`);
  }
  return replies.notLeader();
}
