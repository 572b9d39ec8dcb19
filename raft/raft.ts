/**
 * The consensus core's public face: what comes in from the body (ticks, messages, proposals, reports of
 * finished work) and, as {@link Ready}, what the body is to do. The algorithm lives in the files named after
 * its parts.
 */
import {
  becomeFollower,
  campaign,
  feelPulse,
  handlePreVote,
  handlePreVoteResponse,
  handleTimeoutNow,
  handleVote,
  handleVoteResponse,
  inLease,
  leaseHeld,
  type Pulse,
  tickElection,
  tickLeader,
} from './election.js';
import { invariant } from './invariant.js';
import {
  changedMembership,
  encodeMembership,
  type MembershipChange,
  type MembershipRefusal,
} from './membership.js';
import type { Message } from './messages.js';
import { noteAgreement, noteContradiction, partingOf } from './parting.js';
import { implausible } from './plausibility.js';
import type { Progress } from './progress.js';
import { majority } from './quorum.js';
import { askReadIndex, expireForwardedReads, handleReadIndex, handleReadIndexResponse } from './reads.js';
import type { PeerStatus, Ready, SoftState, Status } from './ready.js';
import {
  answerDeposedLeader,
  flushLeader,
  handleAppend,
  handleAppendResponse,
  handleCommit,
  handleHeartbeat,
  handleHeartbeatResponse,
  handleSnapshot,
  isLogLost,
  maybeCommit,
  membershipChanged,
} from './replication.js';
import { type RaftConfig, RaftState } from './state.js';
import { furthestVoter, startTransfer, tickTransfer, transferAtLarge } from './transfer.js';
import {
  EntryKind,
  type HardState,
  type LogStorage,
  type Membership,
  type NodeId,
  type SnapshotMetadata,
} from './types.js';

export interface Proposed {
  readonly index: number;
  readonly term: number;
}

export class Raft {
  readonly id: NodeId;
  readonly #state: RaftState;
  #sequence = 0;
  #hardState: HardState;
  #softState: SoftState;
  /** Terms and votes on their way to disk. */
  #hardStateWrites: { readonly sequence: number; readonly term: number; readonly vote: NodeId }[] = [];

  /**
   * A core that goes on where its log left off. The newest snapshot of `storage` gives the membership;
   * membership entries behind it override it. A founder starts from a snapshot of index 0 that names itself,
   * a joiner from one without members.
   *
   * @throws Error if configuration, log and hard state contradict each other
   */
  constructor(config: RaftConfig, storage: LogStorage, hardState: HardState) {
    this.id = config.id;
    this.#state = new RaftState(config, storage, hardState);
    this.#hardState = hardState;
    this.#softState = { role: 'follower', leader: 0, term: hardState.term };
    if (this.#state.soleVoter) campaign(this.#state, 'election');
  }

  /** One step of logical time. */
  tick(): void {
    const state = this.#state;
    state.ticks++;
    if (state.role === 'leader') {
      tickTransfer(state);
      if (!state.diskAnswers && state.transferTarget === 0 && !state.soleVoter) {
        becomeFollower(state, state.term, 0);
      } else {
        tickLeader(state);
      }
    } else {
      expireForwardedReads(state);
      tickElection(state);
    }
  }

  /**
   * The body's event loop stood still for so long. That counts against a leader's lease, and never towards an
   * election: while a node does not look, it cannot say that its leader is silent.
   */
  stalled(ticks: number): void {
    invariant(Number.isSafeInteger(ticks) && ticks >= 0, `stalled for ${ticks} ticks`);
    this.#state.stalledTicks += ticks;
  }

  /**
   * Why a message cannot be true and must not be stepped, in words for the log; undefined if it can (see
   * plausibility.ts).
   */
  examine(message: Message): string | undefined {
    const state = this.#state;
    const why = implausible(state, message);
    if (why !== undefined) noteContradiction(state, message);
    else if (noteAgreement(state, message)) state.parting = undefined;
    return why;
  }

  /**
   * Takes a message from an authenticated peer of this cluster, which {@link examine} had nothing against.
   *
   * @throws Error if it proves that an invariant of the cluster is broken
   */
  step(message: Message): void {
    const state = this.#state;
    const { type, from, term } = message;
    invariant(message.to === state.id, `message for node ${message.to} at node ${state.id}`);
    if (from === state.id || !mayHear(state, message)) return;
    if (term > state.term) {
      if (type === 'vote') {
        if (inLease(state) && !(message.transfer && state.memberships.isVoter(from))) return;
        becomeFollower(state, term, 0);
      } else if (isFromLeader(type)) {
        becomeFollower(state, term, from);
      } else if (isAnswer(type)) {
        // A granted pre-vote speaks of the term that would be campaigned in.
        if (!(type === 'preVoteResponse' && message.granted)) becomeFollower(state, term, 0);
      } else if (type !== 'preVote') {
        return;
      }
    } else if (term < state.term) {
      if (type === 'append' || type === 'heartbeat') answerDeposedLeader(state, from);
      if (type !== 'preVote' && type !== 'vote' && type !== 'preVoteResponse' && type !== 'snapshot') return;
    }
    this.#dispatch(message);
  }

  #dispatch(message: Message): void {
    const state = this.#state;
    switch (message.type) {
      case 'preVote':
        handlePreVote(state, message);
        break;
      case 'preVoteResponse':
        handlePreVoteResponse(state, message);
        break;
      case 'vote':
        handleVote(state, message);
        break;
      case 'voteResponse':
        handleVoteResponse(state, message);
        break;
      case 'append':
        handleAppend(state, message);
        break;
      case 'appendResponse':
        handleAppendResponse(state, message);
        break;
      case 'heartbeat':
        handleHeartbeat(state, message);
        break;
      case 'heartbeatResponse':
        handleHeartbeatResponse(state, message);
        break;
      case 'commit':
        handleCommit(state, message);
        break;
      case 'snapshot':
        handleSnapshot(state, message);
        break;
      case 'timeoutNow':
        handleTimeoutNow(state, message);
        break;
      case 'readIndex':
        handleReadIndex(state, message);
        break;
      case 'readIndexResponse':
        handleReadIndexResponse(state, message);
        break;
    }
  }

  /** Stands for election now instead of at the next timeout. Does nothing on a leader or without a vote. */
  campaign(): void {
    const state = this.#state;
    if (state.role === 'leader' || !state.promotable) return;
    campaign(state, state.soleVoter ? 'election' : 'preVote');
  }

  /**
   * Appends a payload to the log; it leaves with the next Ready.
   *
   * @returns where it stands if it commits; undefined if this node does not lead, is handing over, or was
   * removed
   */
  propose(payload: Uint8Array): Proposed | undefined {
    const state = this.#state;
    if (state.role !== 'leader' || state.transferTarget !== 0 || !state.memberships.isMember(state.id))
      return;
    return { index: state.appendOwn(EntryKind.command, payload), term: state.term };
  }

  /** Proposes a change of the membership; it is in force at once, and holds when its entry is committed. */
  proposeMembership(change: MembershipChange): Proposed | { readonly refused: MembershipRefusal } {
    const state = this.#state;
    if (state.role !== 'leader') return { refused: 'not-leader' };
    if (state.transferTarget !== 0) return { refused: 'transferring' };
    if (state.memberships.index > state.log.committed) return { refused: 'change-in-flight' };
    // Without this, leaders of two terms could make changes whose majorities miss each other (thesis, 4.1,
    // erratum).
    if (!state.ownTermCommitted) return { refused: 'term-not-committed' };
    const membership = changedMembership(state.memberships.current, change);
    if (typeof membership === 'string') return { refused: membership };
    if (change.kind === 'promote') {
      const progress = state.progress.get(change.id);
      const caughtUp =
        progress !== undefined &&
        progress.state === 'replicate' &&
        !progress.logLost &&
        progress.match >= state.termStartIndex &&
        isRecentlyActive(state, progress);
      if (!caughtUp) return { refused: 'not-caught-up' };
    }
    const voters = membership.members.filter((member) => !member.learner);
    const active = voters.filter(({ id }) => {
      const progress = state.progress.get(id);
      return id === state.id || (progress !== undefined && isRecentlyActive(state, progress));
    });
    if (active.length < majority(voters.length)) return { refused: 'quorum-unreachable' };
    const { term } = state;
    const index = state.appendOwn(EntryKind.membership, encodeMembership(membership));
    membershipChanged(state);
    return { index, term };
  }

  /**
   * Asks from which index on a read is linearizable; the answer comes in `Ready.readStates`, or the context
   * in `Ready.readsDropped`. A follower asks its leader. One context stands for all reads of a turn.
   *
   * @param context never used before, not even before a restart (start from a random number), or a late
   * answer would pass for
   *   a new one
   * @returns false if nobody can be asked, because no leader is known
   */
  readIndex(context: number): boolean {
    return askReadIndex(this.#state, context);
  }

  /**
   * Hands leadership to another voter. Proposals are refused until it has taken over or an election timeout
   * has passed.
   *
   * @returns false if this node does not lead, or `to` is not another voter
   */
  transferLeadership(to: NodeId): boolean {
    return startTransfer(this.#state, to);
  }

  /**
   * Whether this node may stand for election, such as while its clock is sound. Does not end a leadership:
   * transfer it. The only voter leads in any case.
   */
  setMayLead(mayLead: boolean): void {
    const state = this.#state;
    state.mayLead = mayLead;
    const stands = state.role === 'candidate' || state.role === 'preCandidate';
    if (stands && !state.promotable) becomeFollower(state, state.term, 0);
  }

  /**
   * Whether this node's disk does what it is told in good time. A leader without one commits nothing that it
   * could apply: it hands over to the voter that is furthest ahead, or steps down if that does not take over.
   * It does not stand again meanwhile.
   */
  setDiskAnswers(diskAnswers: boolean): void {
    const state = this.#state;
    state.diskAnswers = diskAnswers;
    if (diskAnswers || state.soleVoter) return;
    if (state.role === 'leader') {
      if (state.transferTarget === 0) startTransfer(state, furthestVoter(state));
    } else if (state.role !== 'follower') {
      becomeFollower(state, state.term, 0);
    }
  }

  /** A peer's pulse was felt. */
  feelPulse(pulse: Pulse): void {
    feelPulse(this.#state, pulse);
  }

  /**
   * Whether this leader may take itself for the only one: it reached a majority within the last election
   * timeout, and nobody may be campaigning at its own request.
   *
   * @param sinceTick ticks that have passed since the last call of {@link tick} or {@link stalled}, rounded
   * up
   */
  leaseValid(sinceTick = 0): boolean {
    const state = this.#state;
    // Who has appended its own removal is asked by nobody: a voter that is left alone campaigns at once.
    return this.quorumHeld(sinceTick) && state.memberships.isVoter(state.id) && !transferAtLarge(state);
  }

  /**
   * Whether this node leads and reached a majority within the last election timeout (see {@link leaseValid}).
   */
  quorumHeld(sinceTick = 0): boolean {
    const state = this.#state;
    return state.role === 'leader' && leaseHeld(state, sinceTick);
  }

  /**
   * Everything that the Readies up to `sequence` had to write is durable, as far as the cluster's durability
   * demands it.
   */
  persisted(sequence: number): void {
    const state = this.#state;
    invariant(
      sequence <= this.#sequence,
      `Ready ${sequence} persisted before it was made (${this.#sequence})`,
    );
    let done = 0;
    for (const write of this.#hardStateWrites) {
      if (write.sequence > sequence) break;
      state.durableTerm = write.term;
      state.durableVote = write.vote;
      done++;
    }
    if (done > 0) this.#hardStateWrites.splice(0, done);
    state.log.persistedTo(sequence);
    if (state.role === 'leader') maybeCommit(state);
  }

  /** The state machine has applied every entry up to `index`. */
  applied(index: number): void {
    this.#state.log.appliedTo(index);
    this.#state.memberships.forgetBefore(this.#state.log.applied);
  }

  /** The state machine stands at the snapshot of a `Ready.snapshot` now; entries behind it may be applied. */
  snapshotInstalled(snapshot: SnapshotMetadata): void {
    this.#state.log.installed(snapshot.index);
    // It may campaign again, and has not been waiting for its leader until now.
    if (this.#state.role === 'follower') this.#state.resetElectionTimer();
  }

  /** The transfer that a `snapshot` message asked for has ended. */
  reportSnapshot(to: NodeId, ok: boolean): void {
    const progress = this.#state.progress.get(to);
    if (progress === undefined || progress.state !== 'snapshot') return;
    if (!ok) progress.snapshotIndex = 0;
    progress.becomeProbe();
    // Goes on with its acknowledgement or its next heartbeat answer.
    progress.probeSent = true;
  }

  /** Messages to a peer were lost, such as by a broken connection: what was sent ahead is sent again. */
  reportUnreachable(to: NodeId): void {
    const progress = this.#state.progress.get(to);
    if (progress?.state === 'replicate') progress.becomeProbe();
  }

  /**
   * The membership in force at an index from the last applied one on, as a snapshot of that index must carry
   * it.
   */
  membershipAt(index: number): Membership {
    return this.#state.memberships.at(index);
  }

  /** Whether {@link ready} has anything to hand out. */
  hasReady(): boolean {
    const state = this.#state;
    if (state.role === 'leader') flushLeader(state);
    return (
      state.messages.length > 0 ||
      state.messagesAfterPersist.length > 0 ||
      state.log.hasUnwritten() ||
      state.log.hasDeliverable() ||
      state.readStates.length > 0 ||
      state.readsDropped.length > 0 ||
      this.#hardStateChanged() ||
      this.#softStateChanged()
    );
  }

  /** Everything that is due now; each duty is handed out once. */
  ready(): Ready {
    const state = this.#state;
    if (state.role === 'leader') flushLeader(state);
    const sequence = ++this.#sequence;
    const { entries, snapshot } = state.log.takeUnwritten(sequence);
    const termOrVoteChanged = state.term !== this.#hardState.term || state.vote !== this.#hardState.vote;
    let hardState: HardState | undefined;
    if (this.#hardStateChanged()) {
      hardState = { term: state.term, vote: state.vote, commit: this.#durableCommit() };
      this.#hardState = hardState;
      if (termOrVoteChanged) this.#hardStateWrites.push({ sequence, term: state.term, vote: state.vote });
    }
    let softState: SoftState | undefined;
    if (this.#softStateChanged()) {
      softState = { role: state.role, leader: state.leader, term: state.term };
      this.#softState = softState;
    }
    const ready: Ready = {
      sequence,
      hardState,
      entries,
      snapshot,
      mustSync: entries.length > 0 || snapshot !== undefined || termOrVoteChanged,
      messages: taken(state.messages),
      messagesAfterPersist: taken(state.messagesAfterPersist),
      committed: state.log.takeDeliverable(state.config.maxCommittedBytes),
      readStates: taken(state.readStates),
      readsDropped: taken(state.readsDropped),
      softState,
    };
    if (ready.messages.length > 0) state.messages = [];
    if (ready.messagesAfterPersist.length > 0) state.messagesAfterPersist = [];
    if (ready.readStates.length > 0) state.readStates = [];
    if (ready.readsDropped.length > 0) state.readsDropped = [];
    return ready;
  }

  /** Never beyond what is durable, so that a log which ends below it must have been damaged. */
  #durableCommit(): number {
    const { log } = this.#state;
    return Math.max(this.#hardState.commit, Math.min(log.committed, log.persistedIndex()));
  }

  #hardStateChanged(): boolean {
    const { term, vote, commit } = this.#hardState;
    return this.#state.term !== term || this.#state.vote !== vote || this.#durableCommit() !== commit;
  }

  #softStateChanged(): boolean {
    const { role, leader, term } = this.#softState;
    return this.#state.role !== role || this.#state.leader !== leader || this.#state.term !== term;
  }

  status(): Status {
    const state = this.#state;
    const { log, memberships } = state;
    const peers: PeerStatus[] = [];
    for (const progress of state.progress.values()) {
      peers.push({
        id: progress.id,
        learner: !memberships.isVoter(progress.id),
        match: progress.match,
        next: progress.next,
        state: progress.state,
        inflightBytes: progress.inflightBytes,
        recentActive: isRecentlyActive(state, progress),
        silentTicks: state.ticks - progress.heardTick,
        alive: state.ticks - Math.max(progress.heardTick, progress.pulseTick) < state.config.electionTicks,
        logLost: progress.logLost,
      });
    }
    return {
      id: state.id,
      role: state.role,
      term: state.term,
      vote: state.vote,
      leader: state.leader,
      commit: log.committed,
      applied: log.applied,
      installing: log.installing?.index ?? 0,
      persistedIndex: log.persistedIndex(),
      firstIndex: log.firstIndex(),
      lastIndex: log.lastIndex(),
      ownTermCommitted: state.ownTermCommitted,
      logLost: isLogLost(state),
      logLostTerm: state.lostLog?.term ?? 0,
      parting: partingOf(state),
      membership: memberships.current,
      membershipIndex: memberships.index,
      transferTarget: state.transferTarget,
      peers,
    };
  }
}

function isRecentlyActive(state: RaftState, progress: Progress): boolean {
  return state.ticks - progress.heardTick < state.config.electionTicks;
}

const nothing: readonly never[] = [];

/** Never hands out an empty list that the core goes on filling. */
function taken<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? nothing : list;
}

/**
 * Elections that a cluster may have held without this node: what a stranger says beyond that would only spoil
 * the term.
 */
const strangerTermLeapMax = 2 ** 16;

/** Whether the sender may have a say: nobody outside the cluster can raise a term or keep a node busy. */
function mayHear(state: RaftState, { type, from, term }: Message): boolean {
  // A leader that removed itself is heard to the end of its term: its last word hands over.
  if (state.isRemoved(from))
    return (from === state.leader && term === state.term) || mayHearParted(state, type, from);
  if (state.memberships.isMember(from)) return true;
  // A leader that has lost its followers steps down by itself; till then no stranger has a say.
  if (state.role === 'leader') return false;
  // Only members are asked anything, and may ask for reads.
  if (isAnswer(type) || type === 'readIndex' || term > state.term + strangerTermLeapMax) return false;
  // The others may know of a membership that this node has yet to learn. A leader that it does not know is
  // heard when its own is silent.
  return !isFromLeader(type) || mayHearStranger(state, from, term);
}

/**
 * A removed node leads others that know nothing of its removal, nor of what is committed here: only if it is
 * answered can it insist (see parting.ts).
 */
function mayHearParted(state: RaftState, type: Message['type'], from: NodeId): boolean {
  const isSilent = state.role !== 'leader' && state.electionElapsed >= state.config.electionTicks;
  return state.parting?.leader === from && isFromLeader(type) && isSilent;
}

function mayHearStranger(state: RaftState, from: NodeId, term: number): boolean {
  if (term === state.term && (from === state.leader || from === state.vote)) return true;
  if (state.memberships.current.members.length === 0) return true;
  return state.electionElapsed >= state.config.electionTicks;
}

function isAnswer(type: Message['type']): boolean {
  return (
    type === 'preVoteResponse' ||
    type === 'voteResponse' ||
    type === 'appendResponse' ||
    type === 'heartbeatResponse' ||
    type === 'readIndexResponse'
  );
}

function isFromLeader(type: Message['type']): boolean {
  return type === 'append' || type === 'heartbeat' || type === 'commit' || type === 'snapshot';
}
