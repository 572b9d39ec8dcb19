/** When a node must not go on: it is no part of its cluster's history any more. */
import type { Status } from '../index.js';

/** A status is made so often. */
const ticksBetween = 40;

/** Watches for what parts a node from its cluster. */
export class Estrangement {
  private ticks = 0;
  private toldTerm = 0;

  /**
   * To be called at each tick.
   *
   * @param onNotice takes one line for the operator
   * @throws Error in words for the operator, if a leader has shown that this node lost entries, or has other
   *   ones than its cluster
   */
  tick(raft: { status(): Status }, onNotice: ((text: string) => void) | undefined): void {
    if (++this.ticks % ticksBetween !== 0) return;
    const status = raft.status();
    refuseToGoOn(status);
    const { logLostTerm, leader } = status;
    // While that leader is there it will insist, or be found wrong.
    if (logLostTerm === 0 || logLostTerm === this.toldTerm || leader !== 0) return;
    this.toldTerm = logLostTerm;
    onNotice?.(
      `the leader of term ${logLostTerm}, which is gone, said that this node lost entries that it had acknowledged: ` +
        'it neither votes nor stands for election until a leader shows that this is wrong. ' +
        'If the others cannot elect one without it, the majority is lost: see `redraft recover`',
    );
  }
}

function refuseToGoOn({ logLost, parting }: Status): void {
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
