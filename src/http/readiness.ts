/** Whether a node should be sent clients: what /readyz answers. */
import type { NodeContext } from '../commands/node-context.js';

/** So many committed entries may still be unapplied on a node that keeps up. */
const BEHIND_MAX = 1000;

/** What stands in the way, a line each; empty for a node that is ready. */
export function unreadiness(node: NodeContext): string[] {
  const { consensus, loading } = node;
  if (loading !== undefined || !consensus.isBound) {
    const percent = loading === undefined || loading.total === 0 ? 0 : (loading.done / loading.total) * 100;
    return [`recovering: ${Math.floor(percent)}%`];
  }
  const reasons: string[] = [];
  const { membership, commit } = consensus.node.status();
  const own = membership.members.find(({ id }) => id === consensus.node.id);
  if (own === undefined) reasons.push('not a member of the cluster');
  else if (own.learner) reasons.push('a learner: it has no vote yet');
  if (!consensus.hasLeader) reasons.push('no leader is known');
  if (consensus.isLeader && !consensus.quorumHeld) reasons.push('this leader has no contact with a majority');
  const behind = commit - consensus.node.applied;
  if (behind > BEHIND_MAX) reasons.push(`${behind} committed entries are to be applied`);
  return reasons;
}
