/** Leadership transfer (thesis, 3.10): the target catches up, is told to campaign, and voters let it past the old lease. */
import type { RaftState } from './state.js';
import type { NodeId } from './types.js';

/** @returns false if this node does not lead, or `to` is not another voter */
export function startTransfer(state: RaftState, to: NodeId): boolean {
  if (state.role !== 'leader' || to === state.id || !state.memberships.isVoter(to)) return false;
  if (state.transferTarget === to) return true;
  state.transferTarget = to;
  state.transferElapsed = 0;
  state.transferSent = false;
  transferCaughtUp(state);
  return true;
}

/** Lets the target campaign as soon as it holds the whole log; no proposals come in meanwhile. */
export function transferCaughtUp(state: RaftState): void {
  const to = state.transferTarget;
  if (state.role !== 'leader' || to === 0 || state.transferSent) return;
  if (state.progress.get(to)?.match !== state.log.lastIndex()) return;
  state.transferSent = true;
  state.send({ type: 'timeoutNow', from: state.id, to, term: state.term });
}

/** A target that does not take over within an election timeout is given up (thesis, 3.10). */
export function tickTransfer(state: RaftState): void {
  if (state.transferTarget === 0) return;
  state.transferElapsed++;
  if (state.transferElapsed < state.config.electionTicks) return;
  state.transferTarget = 0;
  state.transferSent = false;
}

/** A removed leader lets the voter that is furthest ahead campaign at once, so that nobody waits for a timeout. */
export function handOverOnRemoval(state: RaftState): void {
  let best: NodeId = 0;
  let bestMatch = -1;
  for (const id of state.memberships.voters) {
    const match = state.progress.get(id)?.match ?? 0;
    if (match > bestMatch) {
      best = id;
      bestMatch = match;
    }
  }
  if (best !== 0) state.send({ type: 'timeoutNow', from: state.id, to: best, term: state.term });
}
