/**
 * Elections (Raft paper, 5.2 and 5.4.1) with pre-vote (thesis, 9.6), leader leases on votes (paper, 6;
 * thesis, 4.2.3) and check-quorum (thesis, 6.2).
 */
import { invariant } from './invariant.js';
import type {
  PreVoteMessage,
  PreVoteResponseMessage,
  TimeoutNowMessage,
  VoteMessage,
  VoteResponseMessage,
} from './messages.js';
import { Progress } from './progress.js';
import { reachedByMajority, voteResult } from './quorum.js';
import { dropForwardedReads, dropLeaderReads } from './reads.js';
import type { RaftState } from './state.js';
import { EntryKind, type NodeId } from './types.js';

/** What a node says of itself whatever its event loop is doing. */
export interface Pulse {
  readonly from: NodeId;
  readonly term: number;
  readonly leads: boolean;
}

type CampaignKind = 'preVote' | 'election' | 'transfer';

const noPayload = new Uint8Array(0);

/**
 * Follows `leader` (0: nobody yet) in `term`. Whatever this node led or wanted ends here.
 */
export function becomeFollower(state: RaftState, term: number, leader: NodeId): void {
  invariant(term >= state.term, `term ${state.term} would go back to ${term}`);
  if (state.role === 'leader') dropLeaderReads(state);
  if (term > state.term) {
    state.term = term;
    state.vote = 0;
    dropForwardedReads(state);
  }
  // A mere rumour of a higher term does not put off an election; a leader, or the end of one's own attempt,
  // does.
  if (state.role !== 'follower' || leader !== 0) state.resetElectionTimer();
  setLeader(state, leader);
  state.role = 'follower';
  state.votes.clear();
  state.progress.clear();
  state.transferTarget = 0;
  state.transferSent = false;
  state.abandonedTransfers.clear();
  state.heartbeatDue = false;
}

function setLeader(state: RaftState, leader: NodeId): void {
  if (state.leader === leader) return;
  dropForwardedReads(state);
  state.leader = leader;
  state.leaderRound = 0;
}

/** Stands for election: asks first whether it could be won, unless the leader itself wants it. */
export function campaign(state: RaftState, kind: CampaignKind): void {
  invariant(state.promotable, 'a node that may not vote campaigns');
  invariant(state.role !== 'leader', 'a leader campaigns');
  setLeader(state, 0);
  state.resetElectionTimer();
  if (kind === 'preVote') {
    state.role = 'preCandidate';
  } else {
    state.role = 'candidate';
    state.term++;
    state.vote = state.id;
  }
  state.votes.clear();
  state.votes.set(state.id, true);
  if (countVotes(state)) return;
  const lastIndex = state.log.lastIndex();
  const lastTerm = state.log.lastTerm();
  const from = state.id;
  for (const to of state.memberships.voters) {
    if (to === state.id) continue;
    if (kind === 'preVote') {
      state.send({ type: 'preVote', from, to, term: state.term + 1, lastIndex, lastTerm });
    } else {
      const transfer = kind === 'transfer';
      state.send({ type: 'vote', from, to, term: state.term, lastIndex, lastTerm, transfer });
    }
  }
}

/** @returns whether the votes so far decided the campaign */
function countVotes(state: RaftState): boolean {
  const result = voteResult(state.memberships.voters, state.votes);
  if (result === 'pending') return false;
  if (result === 'lost') becomeFollower(state, state.term, 0);
  else if (state.role === 'preCandidate') campaign(state, 'election');
  else becomeLeader(state);
  return true;
}

function becomeLeader(state: RaftState): void {
  invariant(state.role === 'candidate', `a ${state.role} becomes leader`);
  state.role = 'leader';
  setLeader(state, state.id);
  state.votes.clear();
  state.heartbeatElapsed = 0;
  state.round = 0;
  state.roundWanted = false;
  state.progress.clear();
  addProgress(state, state.log.lastIndex() + 1);
  // Entries of earlier terms can be committed only behind one of this term (Raft paper, 5.4.2 and 8).
  state.termStartIndex = state.appendOwn(EntryKind.noop, noPayload);
}

/**
 * Starts to follow the progress of every member that has none yet. None of them counts towards the lease
 * before its first answer: who voted for this leader, or joined it, has not promised to refuse others yet.
 */
export function addProgress(state: RaftState, next: number): void {
  const { voters, learners } = state.memberships;
  const leaseTick = state.leaseClock - state.config.electionTicks;
  for (const id of [...voters, ...learners]) {
    if (id === state.id || state.progress.has(id)) continue;
    state.progress.set(id, new Progress(id, next, state.ticks, leaseTick));
  }
}

/**
 * Whether a majority still followed this leader less than an election timeout ago, by the time when it asked:
 * none of them votes for another within that time, unless a transfer asks it to.
 *
 * @param sinceTick ticks that have passed without {@link Raft.tick} having been told
 */
export function leaseHeld(state: RaftState, sinceTick = 0): boolean {
  const now = state.leaseClock + sinceTick;
  const heard = reachedByMajority(state.memberships.voters, (id) =>
    id === state.id ? now : (state.progress.get(id)?.leaseTick ?? Number.NEGATIVE_INFINITY),
  );
  return now - heard < state.config.electionTicks;
}

/** Whether a leader is alive as far as this node knows: nobody gets its vote meanwhile. */
export function inLease(state: RaftState): boolean {
  if (state.role === 'leader') return leaseHeld(state);
  if (state.ticks < state.quietUntilTick && !state.soleVoter) return true;
  return state.leader !== 0 && state.electionElapsed < state.config.electionTicks;
}

/** Whether the leader has heard nothing from a majority for an election timeout, not even their pulse. */
function quorumLost(state: RaftState): boolean {
  const heard = reachedByMajority(state.memberships.voters, (id) => {
    const progress = state.progress.get(id);
    if (progress === undefined) return id === state.id ? state.ticks : Number.NEGATIVE_INFINITY;
    return Math.max(progress.heardTick, progress.pulseTick);
  });
  return state.ticks - heard >= state.config.electionTicks;
}

/**
 * A peer lives, although it may be too busy to say more. That puts off elections and a leader's resignation
 * and nothing else: it answers no question, so it renews no lease, and a pulse that lies costs time and never
 * an answer.
 */
export function feelPulse(state: RaftState, { from, term, leads }: Pulse): void {
  if (term !== state.term) return;
  if (state.role === 'leader') {
    const progress = state.progress.get(from);
    if (progress !== undefined) progress.pulseTick = state.ticks;
  } else if (state.role === 'follower' && leads && from === state.leader) {
    state.electionElapsed = 0;
  }
}

export function tickElection(state: RaftState): void {
  state.electionElapsed++;
  if (state.promotable) {
    if (state.soleVoter) campaign(state, 'election');
    else if (state.electionElapsed >= state.electionTimeout) campaign(state, 'preVote');
  } else if (state.electionElapsed >= 2 * state.config.electionTicks) {
    // It cannot campaign, but it should not point clients at a leader that is gone.
    setLeader(state, 0);
  }
}

export function tickLeader(state: RaftState): void {
  if (quorumLost(state)) {
    becomeFollower(state, state.term, 0);
    return;
  }
  state.heartbeatElapsed++;
  if (state.heartbeatElapsed >= state.config.heartbeatTicks) {
    state.heartbeatElapsed = 0;
    state.heartbeatDue = true;
  }
}

export function handlePreVote(state: RaftState, message: PreVoteMessage): void {
  const granted =
    message.term > state.term &&
    state.lostLog === undefined &&
    !inLease(state) &&
    state.log.isUpToDate(message.lastIndex, message.lastTerm);
  state.send({
    type: 'preVoteResponse',
    from: state.id,
    to: message.from,
    term: granted ? message.term : state.term,
    granted,
  });
}

export function handleVote(state: RaftState, message: VoteMessage): void {
  const { from, term } = message;
  const granted =
    term === state.term &&
    state.lostLog === undefined &&
    (state.vote === from || (state.vote === 0 && state.leader === 0)) &&
    state.log.isUpToDate(message.lastIndex, message.lastTerm);
  if (granted) {
    state.vote = from;
    state.electionElapsed = 0;
  }
  state.send({ type: 'voteResponse', from: state.id, to: from, term: state.term, granted });
}

export function handlePreVoteResponse(state: RaftState, message: PreVoteResponseMessage): void {
  if (state.role !== 'preCandidate') return;
  if (message.granted && message.term !== state.term + 1) return;
  recordVote(state, message.from, message.granted);
}

export function handleVoteResponse(state: RaftState, message: VoteResponseMessage): void {
  if (state.role === 'candidate') recordVote(state, message.from, message.granted);
}

function recordVote(state: RaftState, from: NodeId, granted: boolean): void {
  if (state.votes.has(from)) return;
  state.votes.set(from, granted);
  countVotes(state);
}

export function handleTimeoutNow(state: RaftState, message: TimeoutNowMessage): void {
  if (state.role !== 'follower' || message.from !== state.leader || !state.promotable) return;
  if (message.round < state.leaderRound) return;
  campaign(state, 'transfer');
}
