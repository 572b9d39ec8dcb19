/**
 * Leadership transfer (thesis, 3.10): the target catches up, is told to campaign, and voters let it past the
 * old lease.
 */
import type { RaftState } from './state.js';
import type { NodeId } from './types.js';

/** @returns false if this node does not lead, or `to` is not another voter */
export function startTransfer(state: RaftState, to: NodeId): boolean {
  if (state.role !== 'leader' || to === state.id || !state.memberships.isVoter(to)) return false;
  if (state.transferTarget === to) return true;
  abandonTransfer(state);
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
  state.send({ type: 'timeoutNow', from: state.id, to, term: state.term, round: state.round });
}

/** The target did not take over: this node goes on leading. */
export function abandonTransfer(state: RaftState): void {
  if (state.transferSent) state.abandonedTransfers.set(state.transferTarget, state.round);
  state.transferTarget = 0;
  state.transferSent = false;
}

/** Whether somebody may be campaigning at this leader's own request, past the lease that voters keep. */
export function transferAtLarge(state: RaftState): boolean {
  if (state.transferSent) return true;
  for (const id of state.abandonedTransfers.keys()) if (!state.isRemoved(id)) return true;
  return false;
}

/** A target that does not take over within an election timeout is given up (thesis, 3.10). */
export function tickTransfer(state: RaftState): void {
  if (state.transferTarget === 0) return;
  state.transferElapsed++;
  if (state.transferElapsed < state.config.electionTicks) return;
  abandonTransfer(state);
}

/**
 * A removed leader lets the voter that is furthest ahead campaign at once, so that nobody waits for a
 * timeout.
 */
export function handOverOnRemoval(state: RaftState): void {
  const to = furthestVoter(state);
  if (to !== 0) state.send({ type: 'timeoutNow', from: state.id, to, term: state.term, round: state.round });
}

/**
 * Of the voters that have answered lately, this node aside, the one that holds most of the log; 0 if there is
 * none.
 */
export function furthestVoter(state: RaftState): NodeId {
  let best: NodeId = 0;
  let bestMatch = -1;
  for (const id of state.memberships.voters) {
    const progress = state.progress.get(id);
    if (progress === undefined || state.ticks - progress.heardTick >= state.config.electionTicks) continue;
    if (progress.match > bestMatch) {
      best = id;
      bestMatch = progress.match;
    }
  }
  return best;
}
