/**
 * Linearizable reads without growing the log: ReadIndex (thesis, 6.4). The leader notes its commit index,
 * proves by a round of heartbeats that it was still leader afterwards, and the read is served once that index
 * is applied. All reads that are asked between two Readies share a round.
 */
import type { ReadIndexMessage, ReadIndexResponseMessage } from './messages.js';
import { reachedByMajority } from './quorum.js';
import type { PendingRead, RaftState } from './state.js';
import type { NodeId } from './types.js';

/** @returns false if nobody can be asked: no leader is known */
export function askReadIndex(state: RaftState, context: number): boolean {
  if (state.role === 'leader') {
    leaderRead(state, state.id, context);
    return true;
  }
  if (state.leader === 0) return false;
  state.forwardedReads.set(context, state.ticks);
  state.send({ type: 'readIndex', from: state.id, to: state.leader, term: state.term, context });
  return true;
}

function leaderRead(state: RaftState, from: NodeId, context: number): void {
  // A new leader does not know yet what its predecessors committed (Raft paper, 8).
  if (!state.ownTermCommitted) {
    state.earlyReads.push({ from, context });
    return;
  }
  const read = { from, context, index: state.log.committed, round: state.round + 1 };
  if (state.soleVoter) {
    answer(state, read);
    return;
  }
  state.pendingReads.push(read);
  state.roundWanted = true;
}

function answer(state: RaftState, { from, context, index }: Omit<PendingRead, 'round'>): void {
  if (from === state.id) state.readStates.push({ context, index });
  else state.send({ type: 'readIndexResponse', from: state.id, to: from, term: state.term, context, index });
}

/** The first entry of the term is committed: reads that came before it start now. */
export function releaseEarlyReads(state: RaftState): void {
  if (state.earlyReads.length === 0) return;
  const reads = state.earlyReads;
  state.earlyReads = [];
  for (const { from, context } of reads) leaderRead(state, from, context);
}

/** Answers the reads whose round a majority has answered. */
export function advanceReads(state: RaftState): void {
  if (state.pendingReads.length === 0) return;
  const reached = reachedByMajority(state.memberships.voters, (id) =>
    id === state.id ? state.round : (state.progress.get(id)?.ackedRound ?? 0),
  );
  let answered = 0;
  while (answered < state.pendingReads.length && state.pendingReads[answered]!.round <= reached) {
    answer(state, state.pendingReads[answered]!);
    answered++;
  }
  state.pendingReads.splice(0, answered);
}

/** Leadership ends: nobody may wait for ever. */
export function dropLeaderReads(state: RaftState): void {
  for (const { from, context } of [...state.earlyReads, ...state.pendingReads]) {
    if (from === state.id) state.readsDropped.push(context);
    else answer(state, { from, context, index: 0 });
  }
  state.earlyReads = [];
  state.pendingReads = [];
  state.roundWanted = false;
}

export function dropForwardedReads(state: RaftState): void {
  for (const context of state.forwardedReads.keys()) state.readsDropped.push(context);
  state.forwardedReads.clear();
}

/** Gives up on contexts that the leader has not answered for an election timeout. */
export function expireForwardedReads(state: RaftState): void {
  for (const [context, askedTick] of state.forwardedReads) {
    if (state.ticks - askedTick < state.config.electionTicks) return;
    state.forwardedReads.delete(context);
    state.readsDropped.push(context);
  }
}

export function handleReadIndex(state: RaftState, { from, context }: ReadIndexMessage): void {
  if (state.role === 'leader') leaderRead(state, from, context);
  else answer(state, { from, context, index: 0 });
}

export function handleReadIndexResponse(state: RaftState, message: ReadIndexResponseMessage): void {
  const { from, context, index } = message;
  // Contexts are of the leader that was asked; another node answers out of turn.
  if (from !== state.leader || !state.forwardedReads.delete(context)) return;
  if (index === 0) state.readsDropped.push(context);
  else state.readStates.push({ context, index });
}
