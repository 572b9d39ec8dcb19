/** What the core hands to its body, and what it tells about itself. */
import type { Message } from './messages.js';
import type { ProgressState } from './progress.js';
import type { Entry, HardState, Membership, NodeId, SnapshotMetadata } from './types.js';

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export interface SoftState {
  readonly role: Role;
  /** 0 while no leader is known. */
  readonly leader: NodeId;
  readonly term: number;
}

/** All reads that were asked under `context` may be served once the state machine has applied `index`. */
export interface ReadState {
  readonly context: number;
  readonly index: number;
}

/** Word of a leader whose entries are not those that are committed here (see parting.ts). */
export interface Parting {
  /** The leader that has other entries, and its term. */
  readonly leader: NodeId;
  readonly term: number;
  /** The first committed entry here that it has with another term. */
  readonly index: number;
  readonly ownTerm: number;
  readonly leaderTerm: number;
  /** Ticks of the first and the latest message that said so. */
  readonly sinceTick: number;
  lastTick: number;
}

/**
 * One batch of duties. Readies are numbered; the body writes them in order and may have several under way.
 * For each:
 *
 * 1. Send `messages` at once. 2. Write `hardState`, install `snapshot` if there is one (the log becomes empty
 * behind it), append `entries` (whatever the log
 *    holds from `entries[0].index` on is replaced): in this order, in one stream, so that a crash keeps a prefix of it.
 * 3. When that and everything of earlier Readies is durable, call `persisted(sequence)` and send
 * `messagesAfterPersist`. A Ready
 *    that has only messages after persist waits for the writes of the Readies before it.
 * 4. Apply `committed` in order, then call `applied(index)`. They are durable here already.
 */
export interface Ready {
  /** Number of this Ready, from 1. */
  readonly sequence: number;
  /** Set when it changed. Term and vote must be durable before a message of `messagesAfterPersist` leaves. */
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMetadata | undefined;
  /**
   * Whether `persisted` waits for a sync. False if only the commit index moved: that may be written lazily.
   */
  readonly mustSync: boolean;
  /** May leave at once: a leader's appends travel in parallel with its own disk write (thesis, 10.2.1). */
  readonly messages: readonly Message[];
  /** Votes, acknowledgements and whatever else promises what this Ready writes. */
  readonly messagesAfterPersist: readonly Message[];
  /** Bounded by `maxCommittedBytes`; more follows in the next Ready. */
  readonly committed: readonly Entry[];
  readonly readStates: readonly ReadState[];
  /** Contexts that will never be answered: leadership changed or the leader was silent. */
  readonly readsDropped: readonly number[];
  /** Set when it changed. */
  readonly softState: SoftState | undefined;
}

export interface PeerStatus {
  readonly id: NodeId;
  readonly learner: boolean;
  /** Highest index known to be durable there. */
  readonly match: number;
  readonly next: number;
  readonly state: ProgressState;
  readonly inflightBytes: number;
  /** Heard from within the last election timeout. */
  readonly recentActive: boolean;
  /** Ticks since it was heard from. */
  readonly silentTicks: number;
  /** Heard from, or its pulse felt, within the last election timeout. */
  readonly alive: boolean;
  /** It lost entries that it had acknowledged; it is not counted any more. */
  readonly logLost: boolean;
}

export interface Status {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: number;
  readonly vote: NodeId;
  readonly leader: NodeId;
  readonly commit: number;
  readonly applied: number;
  /** Index of the snapshot that is not both on disk and in the state machine yet; 0 for none. */
  readonly installing: number;
  readonly persistedIndex: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Whether an entry of the leader's own term is committed: before that it answers no read index. */
  readonly ownTermCommitted: boolean;
  /** This node's log is shorter than what its leader saw it acknowledge: it must not go on under this id. */
  readonly logLost: boolean;
  /**
   * The leader of this term has begun to say so, 0: none has. No vote is given until a leader shows that it
   * is wrong.
   */
  readonly logLostTerm: number;
  /** Its leader has other entries than those that are committed here: this node must not go on. */
  readonly parting: Parting | undefined;
  /** As of the last entry of the log, committed or not. */
  readonly membership: Membership;
  /** Index of the entry that set it; above `commit` while a change is under way. */
  readonly membershipIndex: number;
  /** Who is about to take over; 0 if nobody. */
  readonly transferTarget: NodeId;
  /** Of the leader: every other member. Empty elsewhere. */
  readonly peers: readonly PeerStatus[];
}
