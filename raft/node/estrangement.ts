/** When a node must not go on: it is no part of its cluster's history any more. */
import type { Status } from '../index.js';

/**
 * @throws Error in words for the operator, if a leader has shown that this node lost entries, or has other
 * ones than its cluster
 */
export function refuseToGoOn({ logLost, parting }: Status): void {
  const wayOut = 'remove it from the cluster (RAFTREMOVEPEER), empty its directory and let it join anew';
  if (logLost) throw new Error(`this node lost entries that it had acknowledged: ${wayOut}`);
  if (parting === undefined) return;
  const { index, ownTerm, leaderTerm, leader, term } = parting;
  throw new Error(
    `entry ${index} is committed here with term ${ownTerm}, but node ${leader}, which leads term ${term}, has it with term ${leaderTerm}: ` +
      'a majority of the members lost what they had acknowledged, and this node has applied it. ' +
      `Keep a copy of its directory if that matters; then ${wayOut}`,
  );
}
