/** Log replication (Raft paper, 5.3 and 7), with flow control for each peer. */
import { addProgress, becomeFollower } from './election.js';
import { invariant } from './invariant.js';
import { entryBytes } from './log.js';
import type {
  AppendMessage,
  AppendResponseMessage,
  CommitMessage,
  Echo,
  HeartbeatMessage,
  HeartbeatResponseMessage,
  SnapshotMessage,
} from './messages.js';
import type { Progress } from './progress.js';
import { reachedByMajority } from './quorum.js';
import { advanceReads, releaseEarlyReads } from './reads.js';
import type { RaftState } from './state.js';
import { abandonTransfer, handOverOnRemoval, transferCaughtUp } from './transfer.js';
import { type Entry, EntryKind } from './types.js';

const noEntries: readonly Entry[] = [];
/** An entry beyond this is sent only when it is known to fit. */
const hugeBytes = 1 << 20;

/**
 * Sends what this turn made due: heartbeats, a read round, entries within each peer's window, and news of
 * commits.
 */
export function flushLeader(state: RaftState): void {
  if (state.heartbeatDue || state.roundWanted) {
    state.round++;
    for (const progress of state.progress.values()) {
      if (state.heartbeatDue || state.memberships.isVoter(progress.id)) sendHeartbeat(state, progress);
    }
    state.heartbeatDue = false;
    state.roundWanted = false;
  }
  for (const progress of state.progress.values()) replicate(state, progress);
}

function sendHeartbeat(state: RaftState, progress: Progress): void {
  // Clamped: what the peer holds beyond its match may be another leader's.
  const commit = Math.min(state.log.committed, progress.match);
  progress.commitSent = Math.max(progress.commitSent, commit);
  const { id: from, term, round, leaseClock: sentTick } = state;
  state.send({ type: 'heartbeat', from, to: progress.id, term, commit, round, sentTick });
}

function replicate(state: RaftState, progress: Progress): void {
  if (progress.logLost) return;
  const { maxInflightAppends, maxInflightBytes } = state.config;
  const { log } = state;
  while (!progress.paused(maxInflightAppends, maxInflightBytes)) {
    if (progress.state === 'replicate' && progress.next > log.lastIndex()) break;
    if (!sendAppend(state, progress, state.config.maxAppendBytes)) return;
  }
  if (progress.state !== 'replicate') return;
  if (progress.poke) {
    progress.poke = false;
    if (!sendAppend(state, progress, 0)) return;
  }
  const commit = Math.min(log.committed, progress.match);
  if (commit > progress.commitSent) {
    progress.commitSent = commit;
    state.send({ type: 'commit', from: state.id, to: progress.id, term: state.term, commit });
  }
}

/** @returns false if the peer needs a snapshot instead */
function sendAppend(state: RaftState, progress: Progress, maxBytes: number): boolean {
  const { log } = state;
  const previousIndex = progress.next - 1;
  const previousTerm = log.term(previousIndex);
  let entries = maxBytes === 0 ? noEntries : log.entries(progress.next, log.lastIndex() + 1, maxBytes);
  if (previousTerm === undefined || entries === undefined) {
    sendSnapshot(state, progress);
    return false;
  }
  // A probe is sent again and again: it only asks whether a huge entry would be welcome.
  if (progress.state === 'probe' && entries.length > 0 && entryBytes(entries[0]!) > hugeBytes)
    entries = noEntries;
  const { id: from, term, round, leaseClock: sentTick } = state;
  const commit = log.committed;
  state.send({
    type: 'append',
    from,
    to: progress.id,
    term,
    previousIndex,
    previousTerm,
    entries,
    commit,
    round,
    sentTick,
  });
  const lastIndex = previousIndex + entries.length;
  if (progress.state === 'replicate')
    progress.commitSent = Math.max(progress.commitSent, Math.min(commit, lastIndex));
  if (maxBytes > 0) {
    let bytes = 0;
    for (const entry of entries) bytes += entryBytes(entry);
    progress.sent(lastIndex, bytes);
  }
  return true;
}

function sendSnapshot(state: RaftState, progress: Progress): void {
  // To a peer that does not answer, a transfer would only fail; its next heartbeat answer starts it.
  if (state.ticks - progress.heardTick >= state.config.electionTicks) {
    progress.becomeProbe();
    progress.probeSent = true;
    return;
  }
  const snapshot = state.log.snapshot();
  invariant(
    snapshot.index >= progress.next - 1 && snapshot.index + 1 >= state.log.firstIndex(),
    `snapshot ${snapshot.index} does not reach the log that starts at ${state.log.firstIndex()}`,
  );
  progress.becomeSnapshot(snapshot.index);
  const { id: from, term, round, leaseClock: sentTick } = state;
  state.send({ type: 'snapshot', from, to: progress.id, term, snapshot, round, sentTick });
}

/**
 * Commits what a majority of the voters holds durably, if it is of the leader's own term (Raft paper, 5.4.2).
 */
export function maybeCommit(state: RaftState): void {
  const { log } = state;
  const index = reachedByMajority(state.memberships.voters, (id) =>
    id === state.id ? log.persistedIndex() : (state.progress.get(id)?.match ?? 0),
  );
  if (index <= log.committed || log.term(index) !== state.term) return;
  log.commitTo(index);
  releaseEarlyReads(state);
  if (state.memberships.index > index || state.memberships.isVoter(state.id)) return;
  // This leader was removed, and the removal holds now (thesis, 4.2.2). The others learn that before it falls
  // silent.
  flushLeader(state);
  handOverOnRemoval(state);
  becomeFollower(state, state.term, 0);
}

/** The leader's membership changed: who is followed and what makes a majority change with it. */
export function membershipChanged(state: RaftState): void {
  for (const id of state.progress.keys()) {
    if (!state.memberships.isMember(id)) state.progress.delete(id);
  }
  addProgress(state, state.log.lastIndex());
  if (state.transferTarget !== 0 && !state.memberships.isVoter(state.transferTarget)) abandonTransfer(state);
  maybeCommit(state);
  advanceReads(state);
}

function heardFrom(state: RaftState, progress: Progress, echo: Echo): void {
  progress.heardTick = state.ticks;
  progress.leaseTick = Math.max(progress.leaseTick, echo.sentTick);
  if (echo.round > progress.ackedRound) {
    progress.ackedRound = echo.round;
    advanceReads(state);
  }
  const abandoned = state.abandonedTransfers.get(progress.id);
  if (abandoned !== undefined && progress.ackedRound > abandoned)
    state.abandonedTransfers.delete(progress.id);
}

export function handleAppendResponse(state: RaftState, message: AppendResponseMessage): void {
  const progress = state.progress.get(message.from);
  if (state.role !== 'leader' || progress === undefined) return;
  heardFrom(state, progress, message);
  if (progress.logLost) {
    if (!message.rejected) progress.recovered(message.index, message.round);
    return;
  }
  const { log } = state;
  if (message.rejected) {
    if (message.index <= progress.match && message.round > progress.matchRound) {
      progress.lost(message.round, state.ticks);
      return;
    }
    const { hintIndex, hintTerm } = message;
    const possible =
      hintTerm > 0 ? log.lastWithTermAtMost(Math.min(hintIndex, log.lastIndex()), hintTerm).index : hintIndex;
    progress.rejected(message.index, possible + 1);
    return;
  }
  invariant(
    message.index <= log.lastIndex(),
    `node ${message.from} acknowledged entry ${message.index} of a log that ends at ${log.lastIndex()}`,
  );
  const news = progress.acknowledged(message.index, state.round);
  if (progress.state === 'probe' && message.index === progress.match) progress.becomeReplicate();
  else if (progress.state === 'snapshot' && progress.match + 1 >= log.firstIndex())
    progress.becomeReplicate();
  if (!news) return;
  maybeCommit(state);
  transferCaughtUp(state);
}

export function handleHeartbeatResponse(state: RaftState, message: HeartbeatResponseMessage): void {
  const progress = state.progress.get(message.from);
  if (state.role !== 'leader' || progress === undefined) return;
  heardFrom(state, progress, message);
  if (progress.logLost) {
    askForLog(state, progress, message.round);
    return;
  }
  progress.probeSent = false;
  if (progress.state !== 'replicate') return;
  // No headway since the last heartbeat: an append or its answer may be lost.
  const stuck = progress.match < state.log.lastIndex() && progress.match === progress.matchAtHeartbeat;
  progress.matchAtHeartbeat = progress.match;
  if (stuck) progress.poke = true;
}

/**
 * Asks a peer that lost entries whether it has what it acknowledged after all: an append that was on its way
 * meanwhile may have brought it back. Nothing is sent that could make up for the loss.
 *
 * @param answered the round of its last answer
 */
function askForLog(state: RaftState, progress: Progress, answered: number): void {
  const { id: to, match } = progress;
  const { id: from, term, log, round, leaseClock: sentTick } = state;
  const previousTerm = log.term(match);
  if (previousTerm === undefined) {
    // The entry is compacted. A node that lacks it stops by itself, even with a slow clock: each heartbeat
    // says so (see isLogLost).
    if (state.ticks - progress.lostTick >= 16 * state.config.electionTicks)
      progress.recovered(match, answered);
    return;
  }
  const commit = Math.min(log.committed, match);
  const about = { previousIndex: match, previousTerm, entries: noEntries, commit, round, sentTick };
  state.send({ type: 'append', from, to, term, ...about });
}

function follow(
  state: RaftState,
  message: AppendMessage | HeartbeatMessage | CommitMessage | SnapshotMessage,
) {
  invariant(state.role !== 'leader', `two leaders in term ${state.term}: ${state.id} and ${message.from}`);
  invariant(
    state.leader === 0 || state.leader === message.from,
    `two leaders in term ${state.term}: ${state.leader} and ${message.from}`,
  );
  if (state.role !== 'follower' || state.leader === 0) becomeFollower(state, state.term, message.from);
  state.electionElapsed = 0;
  if (message.type !== 'commit') state.leaderRound = Math.max(state.leaderRound, message.round);
}

export function handleAppend(state: RaftState, message: AppendMessage): void {
  follow(state, message);
  const { log } = state;
  let { previousIndex, previousTerm, entries } = message;
  const end = previousIndex + entries.length;
  if (previousIndex <= log.committed) {
    // What is committed here is equal everywhere: a message that says otherwise is not stepped.
    entries = entries.slice(log.committed - previousIndex);
    previousIndex = log.committed;
  } else if (!log.matches(previousIndex, previousTerm)) {
    rejectAppend(state, message);
    return;
  }
  const conflict = log.findConflict(entries);
  if (conflict > 0) {
    if (conflict <= log.lastIndex()) {
      log.truncateFrom(conflict);
      state.memberships.truncatedFrom(conflict);
    }
    for (let i = conflict - previousIndex - 1; i < entries.length; i++) {
      const entry = entries[i]!;
      invariant(
        entry.term <= message.term,
        `entry of term ${entry.term} in an append of term ${message.term}`,
      );
      log.append(entry);
      if (entry.kind === EntryKind.membership) state.memberships.appended(entry);
    }
  }
  log.commitTo(Math.min(message.commit, end));
  forgetLostLog(state);
  // What both know to be committed is equal, too; what only this node takes for committed, the leader may not
  // have.
  respondAppend(state, message, Math.max(end, Math.min(message.commit, log.committed)));
}

function respondAppend(state: RaftState, message: AppendMessage | SnapshotMessage, index: number): void {
  const { from: to, round, sentTick } = message;
  const { id: from, term } = state;
  state.send({
    type: 'appendResponse',
    from,
    to,
    term,
    index,
    rejected: false,
    hintIndex: 0,
    hintTerm: 0,
    round,
    sentTick,
  });
}

function rejectAppend(state: RaftState, message: AppendMessage): void {
  const { from: to, previousIndex, previousTerm, round, sentTick } = message;
  const { id: from, term, log } = state;
  const hint = log.lastWithTermAtMost(Math.min(previousIndex, log.lastIndex()), previousTerm);
  state.send({
    type: 'appendResponse',
    from,
    to,
    term,
    index: previousIndex,
    rejected: true,
    hintIndex: hint.index,
    hintTerm: hint.term,
    round,
    sentTick,
  });
}

/** Tells a leader of a past term that it is one. */
export function answerDeposedLeader(state: RaftState, to: number): void {
  const { id: from, term } = state;
  state.send({
    type: 'appendResponse',
    from,
    to,
    term,
    index: 0,
    rejected: true,
    hintIndex: 0,
    hintTerm: 0,
    round: 0,
    sentTick: 0,
  });
}

export function handleHeartbeat(state: RaftState, message: HeartbeatMessage): void {
  follow(state, message);
  learnCommit(state, message);
  const { from: to, round, sentTick } = message;
  state.send({ type: 'heartbeatResponse', from: state.id, to, term: state.term, round, sentTick });
}

export function handleCommit(state: RaftState, message: CommitMessage): void {
  follow(state, message);
  learnCommit(state, message);
}

/** The leader saw this node acknowledge everything up to `commit`. */
function learnCommit(state: RaftState, message: HeartbeatMessage | CommitMessage): void {
  const { commit, term } = message;
  const { ticks, lostLog } = state;
  if (commit <= state.log.lastIndex()) {
    if (lostLog?.term === term) state.lostLog = undefined;
    state.log.commitTo(commit);
    forgetLostLog(state);
  } else if (lostLog?.term === term) {
    lostLog.lastTick = ticks;
  } else {
    state.lostLog = { term, sinceTick: ticks, lastTick: ticks };
  }
}

/**
 * A later leader, for whom this node did not vote, has brought it up to a commit of its own term: there is
 * nothing left that the claim could be right about.
 */
function forgetLostLog(state: RaftState): void {
  if (state.lostLog === undefined) return;
  const committedTerm = state.log.term(state.log.committed);
  if (committedTerm !== undefined && committedTerm > state.lostLog.term) state.lostLog = undefined;
}

/**
 * Whether a leader has been saying for four election timeouts that this node lost entries: a lie would have
 * been contradicted.
 */
export function isLogLost({ lostLog, config }: RaftState): boolean {
  return lostLog !== undefined && lostLog.lastTick - lostLog.sinceTick >= 4 * config.electionTicks;
}

/**
 * A snapshot has arrived whole. It holds only committed entries, so it is welcome whatever became of the
 * leader that sent it.
 */
export function handleSnapshot(state: RaftState, message: SnapshotMessage): void {
  const { snapshot } = message;
  const { log } = state;
  const current = message.term === state.term;
  if (current) follow(state, message);
  else if (state.role !== 'follower') return;
  // One at a time: the body is still busy with the last one.
  if (log.installing !== undefined) return;
  if (snapshot.index > log.committed) {
    if (log.matches(snapshot.index, snapshot.term)) {
      log.commitTo(snapshot.index);
    } else {
      log.restore(snapshot);
      state.memberships.restored(snapshot.index, snapshot.membership);
    }
  }
  if (current) respondAppend(state, message, snapshot.index);
}
