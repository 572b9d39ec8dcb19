/** The state that the parts of the core share; {@link Raft} is its only owner. */
import { invariant } from './invariant.js';
import { Log } from './log.js';
import { MembershipHistory } from './membership.js';
import type { Message } from './messages.js';
import type { Progress } from './progress.js';
import type { Parting, ReadState, Role } from './ready.js';
import type { HardState, LogStorage, NodeId } from './types.js';
import { EntryKind } from './types.js';

export interface RaftConfig {
  readonly id: NodeId;
  /**
   * The base of the election timeout, in ticks. A node campaigns after more than this and at most twice this.
   */
  readonly electionTicks: number;
  /** Ticks between heartbeats; a small fraction of `electionTicks`. */
  readonly heartbeatTicks: number;
  /** Numbers in [0, 1), from a generator that the owner seeds. */
  readonly random: () => number;
  /** Index that the state machine starts from; by default that of the newest snapshot. */
  readonly applied?: number;
  /** Payload bytes in one append (at least one entry goes whatever its size). Default 1 MiB. */
  readonly maxAppendBytes?: number;
  /** Bytes of entries on their way to one peer without an answer. Default 8 MiB. */
  readonly maxInflightBytes?: number;
  /** Appends on their way to one peer without an answer. Default 256. */
  readonly maxInflightAppends?: number;
  /** Bytes of committed entries in one Ready. Default 4 MiB. */
  readonly maxCommittedBytes?: number;
  /**
   * Ticks from the start in which no vote is granted, but at a leader's own request: before the start this
   * node may have promised a leader not to. Default: `electionTicks`, and 0 for a node that never heard of a
   * term.
   */
  readonly quietTicks?: number;
}

export type SoundConfig = Required<Omit<RaftConfig, 'applied' | 'quietTicks'>>;

const mebibyte = 1 << 20;

function soundConfig(config: RaftConfig): SoundConfig {
  const { id, electionTicks, heartbeatTicks, random } = config;
  const sound = {
    id,
    electionTicks,
    heartbeatTicks,
    random,
    maxAppendBytes: config.maxAppendBytes ?? mebibyte,
    maxInflightBytes: config.maxInflightBytes ?? 8 * mebibyte,
    maxInflightAppends: config.maxInflightAppends ?? 256,
    maxCommittedBytes: config.maxCommittedBytes ?? 4 * mebibyte,
  };
  for (const [name, value] of Object.entries(sound)) {
    if (name === 'random') continue;
    invariant(
      Number.isSafeInteger(value) && (value as number) > 0,
      `${name} must be a positive integer, is ${value}`,
    );
  }
  invariant(
    heartbeatTicks < electionTicks,
    `heartbeatTicks ${heartbeatTicks} must be below electionTicks ${electionTicks}`,
  );
  return sound;
}

/** A read that waits: asked here (`from` is this node) or by a follower. */
export interface PendingRead {
  readonly from: NodeId;
  readonly context: number;
  readonly index: number;
  /** Answered when a majority has answered this round. */
  readonly round: number;
}

/**
 * A leader's word that this node lost entries. It may be a lie: a leader keeps saying so, and never says
 * otherwise in its term. While the claim stands, this node neither votes nor stands for election: entries
 * that only it could know of must not be forgotten.
 */
export interface LostLogClaim {
  readonly term: number;
  readonly sinceTick: number;
  lastTick: number;
}

export class RaftState {
  readonly config: SoundConfig;
  readonly id: NodeId;
  readonly log: Log;
  readonly memberships: MembershipHistory;

  term: number;
  vote: NodeId;
  role: Role = 'follower';
  leader: NodeId = 0;

  /** Term and vote as far as they are known to be on disk. */
  durableTerm: number;
  durableVote: NodeId;

  /** Ticks since this core was made. */
  ticks = 0;
  /** Ticks that passed while the owner's event loop stood still. */
  stalledTicks = 0;
  /** Follower and candidates: ticks since the leader was heard, a vote granted, or the campaign begun. */
  electionElapsed = 0;
  electionTimeout = 0;
  heartbeatElapsed = 0;

  /** Candidates: answers so far. */
  votes = new Map<NodeId, boolean>();

  /** Leader: every other member. */
  progress = new Map<NodeId, Progress>();
  /** Leader: index of the entry that opened its term. */
  termStartIndex = 0;
  heartbeatDue = false;
  transferTarget: NodeId = 0;
  transferElapsed = 0;
  transferSent = false;
  /**
   * Leader: targets of abandoned transfers, each with the round in which it was told to campaign. It may
   * still do so, past everybody's lease, until it has answered a later round.
   */
  abandonedTransfers = new Map<NodeId, number>();
  /** Follower: the highest round that the leader has sent. */
  leaderRound = 0;

  /** Leader: number of the last read round. Also raised by each heartbeat. */
  round = 0;
  /** Leader: reads that wait for the first commit of the term. */
  earlyReads: { readonly from: NodeId; readonly context: number }[] = [];
  /** Leader: reads that ask for a round which has not been sent yet. */
  roundWanted = false;
  pendingReads: PendingRead[] = [];
  /** Follower: contexts that the leader was asked for, with the tick of asking. */
  forwardedReads = new Map<number, number>();
  readStates: ReadState[] = [];
  readsDropped: number[] = [];

  /** Whether the owner lets this node stand for election. */
  mayLead = true;
  /** Whether this node's disk does what it is told in good time. */
  diskAnswers = true;
  /** See {@link RaftConfig.quietTicks}. */
  readonly quietUntilTick: number;
  /** A leader says that this node's log is shorter than what it has acknowledged. */
  lostLog: LostLogClaim | undefined;

  /** A leader has other entries than those that are committed here. */
  parting: Parting | undefined;

  messages: Message[] = [];
  messagesAfterPersist: Message[] = [];

  constructor(config: RaftConfig, storage: LogStorage, hardState: HardState) {
    this.config = soundConfig(config);
    this.id = config.id;
    const snapshot = storage.snapshot();
    this.log = new Log(storage, hardState.commit, config.applied ?? snapshot.index);
    this.memberships = new MembershipHistory(snapshot.index, snapshot.membership);
    let index = snapshot.index + 1;
    while (index <= this.log.lastIndex()) {
      const entries = this.log.entries(index, this.log.lastIndex() + 1, mebibyte);
      invariant(entries !== undefined, `entry ${index} behind snapshot ${snapshot.index} is missing`);
      for (const entry of entries) {
        invariant(entry.index === index, `entry ${entry.index} found in the place of ${index}`);
        this.memberships.appended(entry);
        index++;
      }
    }
    this.memberships.forgetBefore(this.log.applied);
    this.term = hardState.term;
    this.vote = hardState.vote;
    invariant(
      this.log.lastTerm() <= this.term,
      `log of term ${this.log.lastTerm()} under hard state of term ${this.term}`,
    );
    this.durableTerm = this.term;
    this.durableVote = this.vote;
    this.quietUntilTick = config.quietTicks ?? (this.term > 0 ? this.config.electionTicks : 0);
    this.resetElectionTimer();
  }

  /** The clock that leases are measured by: it goes on while the event loop stands still. */
  get leaseClock(): number {
    return this.ticks + this.stalledTicks;
  }

  /** Strictly above the base: within the base after a leader's message nobody campaigns, so leases hold. */
  resetElectionTimer(): void {
    const { electionTicks, random } = this.config;
    this.electionElapsed = 0;
    this.electionTimeout = electionTicks + 1 + Math.floor(random() * electionTicks);
  }

  /**
   * Whether this node may stand for election. A voter whose removal is not committed may: it can be the only
   * one whose log reaches far enough to commit the removal, as in a cluster of two (thesis, 4.2.2). Its own
   * vote counts nothing then.
   */
  get promotable(): boolean {
    return (
      (this.memberships.isVoter(this.id) || this.isVoterAtCommit) &&
      this.log.installing === undefined &&
      this.lostLog === undefined &&
      ((this.mayLead && this.diskAnswers) || this.soleVoter)
    );
  }

  private get isVoterAtCommit(): boolean {
    const { members } = this.memberships.at(this.log.committed);
    return members.some((member) => member.id === this.id && !member.learner);
  }

  get soleVoter(): boolean {
    const { voters } = this.memberships;
    return voters.length === 1 && voters[0] === this.id;
  }

  get ownTermCommitted(): boolean {
    return this.role === 'leader' && this.log.committed >= this.termStartIndex;
  }

  /** Removed by a committed change. An uncommitted removal may be rolled back, and its node be needed. */
  isRemoved(id: NodeId): boolean {
    return this.memberships.at(this.log.committed).removed.includes(id);
  }

  /**
   * Puts a message where the order of writes and sends allows it to leave. What promises something that is
   * not on disk yet (a vote, a term, entries) waits for the disk; the rest, above all a leader's appends,
   * does not.
   */
  send(message: Message): void {
    const promisesEntries =
      message.type === 'appendResponse' && !message.rejected && message.index > this.log.persistedIndex();
    const promisesTerm = this.durableTerm !== this.term || this.durableVote !== this.vote;
    if (promisesEntries || promisesTerm) this.messagesAfterPersist.push(message);
    else this.messages.push(message);
  }

  /** Appends an entry of this leader's term. */
  appendOwn(kind: EntryKind, payload: Uint8Array): number {
    const index = this.log.lastIndex() + 1;
    const entry = { index, term: this.term, kind, payload };
    this.log.append(entry);
    if (kind === EntryKind.membership) this.memberships.appended(entry);
    return index;
  }
}
