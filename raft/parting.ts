/**
 * A node whose committed entries are not its cluster's. What is committed is equal everywhere, unless a
 * majority lost what it had acknowledged: a power cut below durability high. Then the node that still has it
 * has applied what its cluster has not, and must not go on as if it were one with it. One such message may be
 * a lie and is only refused; a leader that insists, and nobody else, is believed.
 */
import type { Message } from './messages.js';
import { contradictsCommitted } from './plausibility.js';
import type { Parting } from './ready.js';
import type { RaftState } from './state.js';

/**
 * Notes a message that was refused, if that was because it has another entry in the place of a committed one.
 */
export function noteContradiction(state: RaftState, message: Message): void {
  if ((message.type !== 'append' && message.type !== 'snapshot') || message.term < state.term) return;
  const { from: leader, term } = message;
  const claims =
    message.type === 'snapshot'
      ? [message.snapshot]
      : [{ index: message.previousIndex, term: message.previousTerm }, ...message.entries];
  const other = claims.find((claim) => contradictsCommitted(state, claim.index, claim.term));
  if (other === undefined) return;
  const { ticks, parting } = state;
  if (parting?.leader === leader && parting.term === term) {
    parting.lastTick = ticks;
    return;
  }
  const ownTerm = state.log.term(other.index)!;
  const { index, term: leaderTerm } = other;
  state.parting = { leader, term, index, ownTerm, leaderTerm, sinceTick: ticks, lastTick: ticks };
}

/**
 * A message can be true: what a leader sends that fits the log ends a suspicion, and so does word from
 * another leader.
 */
export function noteAgreement({ parting }: RaftState, { type, from, term }: Message): boolean {
  if (parting === undefined || term < parting.term) return false;
  return type === 'append' || ((type === 'heartbeat' || type === 'commit') && from !== parting.leader);
}

/** The parting, once its leader has insisted for long enough. */
export function partingOf({ parting, config }: RaftState): Parting | undefined {
  if (parting === undefined || parting.lastTick - parting.sinceTick < 4 * config.electionTicks)
    return undefined;
  return parting;
}
