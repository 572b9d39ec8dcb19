/**
 * What cores say to each other. Plain data: the body encodes it, carries it between authenticated peers and
 * hands it to {@link Raft.step}. Messages may be lost, delayed, doubled and reordered; only speed depends on
 * the order.
 */
import type { Entry, NodeId, SnapshotMetadata } from './types.js';

interface Addressed {
  readonly from: NodeId;
  readonly to: NodeId;
  /** The sender's term; for a pre-vote the term that it would campaign in. */
  readonly term: number;
}

/**
 * What a leader writes on its messages and gets back with the answer, so that it knows how fresh the answer
 * is: the answer proves that the peer took it for its leader when it sent the question, not when the answer
 * arrived.
 */
export interface Echo {
  /** The read round that was under way (see reads.ts). */
  readonly round: number;
  /** The leader's lease clock, in its ticks. */
  readonly sentTick: number;
}

/** Asks whether a real election could be won, and changes nothing (thesis, 9.6). */
export interface PreVoteMessage extends Addressed {
  readonly type: 'preVote';
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface PreVoteResponseMessage extends Addressed {
  readonly type: 'preVoteResponse';
  readonly granted: boolean;
}

/** RequestVote (Raft paper, figure 2). */
export interface VoteMessage extends Addressed {
  readonly type: 'vote';
  readonly lastIndex: number;
  readonly lastTerm: number;
  /**
   * The leader itself asked for this election: voters need not wait until its lease has run out (thesis,
   * 4.2.3).
   */
  readonly transfer: boolean;
}

export interface VoteResponseMessage extends Addressed {
  readonly type: 'voteResponse';
  readonly granted: boolean;
}

/** AppendEntries (Raft paper, figure 2). */
export interface AppendMessage extends Addressed, Echo {
  readonly type: 'append';
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
}

export interface AppendResponseMessage extends Addressed, Echo {
  readonly type: 'appendResponse';
  /**
   * Accepted: the log is durable and equal to the leader's up to here. Rejected: the `previousIndex` that did
   * not match.
   */
  readonly index: number;
  readonly rejected: boolean;
  /**
   * Rejected: the last entry of this node that can possibly match (paper 5.3, fast backtracking), and its
   * term.
   */
  readonly hintIndex: number;
  readonly hintTerm: number;
}

/** Keeps followers from campaigning, asks for proof of leadership, and repeats the commit index. */
export interface HeartbeatMessage extends Addressed, Echo {
  readonly type: 'heartbeat';
  /** Never above what the peer is known to hold. */
  readonly commit: number;
}

export interface HeartbeatResponseMessage extends Addressed, Echo {
  readonly type: 'heartbeatResponse';
}

/** Tells a peer that entries which it holds are committed. Has no answer; the next heartbeat repeats it. */
export interface CommitMessage extends Addressed {
  readonly type: 'commit';
  readonly commit: number;
}

/**
 * The peer needs entries that are gone. The leader's body sees this message leave, streams the snapshot (this
 * one or a newer) and reports the end by {@link Raft.reportSnapshot}; the peer's body steps the message when
 * the data has arrived whole.
 */
export interface SnapshotMessage extends Addressed, Echo {
  readonly type: 'snapshot';
  readonly snapshot: SnapshotMetadata;
}

/** The leader hands over: campaign at once (thesis, 3.10). */
export interface TimeoutNowMessage extends Addressed {
  readonly type: 'timeoutNow';
  /**
   * The read round that was under way: whoever has heard of a later one takes this for an abandoned
   * transfer's.
   */
  readonly round: number;
}

/** A follower asks its leader for a read index (thesis, 6.4). */
export interface ReadIndexMessage extends Addressed {
  readonly type: 'readIndex';
  readonly context: number;
}

export interface ReadIndexResponseMessage extends Addressed {
  readonly type: 'readIndexResponse';
  readonly context: number;
  /** 0: the leader could not answer (it stepped down meanwhile). */
  readonly index: number;
}

export type Message =
  | PreVoteMessage
  | PreVoteResponseMessage
  | VoteMessage
  | VoteResponseMessage
  | AppendMessage
  | AppendResponseMessage
  | HeartbeatMessage
  | HeartbeatResponseMessage
  | CommitMessage
  | SnapshotMessage
  | TimeoutNowMessage
  | ReadIndexMessage
  | ReadIndexResponseMessage;

export type MessageType = Message['type'];
