/**
 * The words that the consensus core, its log and its body share.
 *
 * Indices and terms are safe integers counted from 1; 0 means "none". A node id is a positive safe integer,
 * drawn at random once per data directory and never used again after its removal.
 */

export type NodeId = number;

/**
 * What an entry carries: bytes for the state machine, a membership, or nothing (the first entry of a term).
 */
export const EntryKind = { command: 0, membership: 1, noop: 2 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

export interface Entry {
  readonly index: number;
  readonly term: number;
  readonly kind: EntryKind;
  /** Opaque to the core. Never changed after it was proposed. */
  readonly payload: Uint8Array;
}

/** What must survive a crash besides the log itself (Raft paper, figure 2: persistent state). */
export interface HardState {
  readonly term: number;
  /** Who got this node's vote in `term`; 0 if nobody. */
  readonly vote: NodeId;
  /**
   * Known committed. Allowed to lag after a crash; logged so that a restarted node knows how far to replay.
   */
  readonly commit: number;
}

export interface Member {
  readonly id: NodeId;
  /** host:port under which clients and peers reach it. */
  readonly address: string;
  /** A learner receives the log and has no vote (thesis, 4.2.1). */
  readonly learner: boolean;
}

export interface Membership {
  readonly members: readonly Member[];
  /** Ids that were removed: never admitted again. */
  readonly removed: readonly NodeId[];
}

/** Names a snapshot of the state machine: what the log prefix up to `index` amounts to. */
export interface SnapshotMetadata {
  readonly index: number;
  readonly term: number;
  readonly membership: Membership;
}

/**
 * What the core may read of the log that its body has written. All calls are synchronous; entries that were
 * handed out by `Ready.entries` but not yet persisted are kept by the core itself.
 */
export interface LogStorage {
  /** Index of the first entry still present (snapshot index + 1 when the log is empty). */
  firstIndex(): number;
  /** Index of the last entry, or the snapshot's index when there is none. */
  lastIndex(): number;
  /**
   * Term of the entry at `index`, also for `firstIndex() - 1` (the compacted predecessor); undefined outside.
   */
  term(index: number): number | undefined;
  /**
   * Entries from `low` up to but not including `high`, at least one, cut where their payloads exceed
   * `maxBytes`.
   */
  entries(low: number, high: number, maxBytes: number): readonly Entry[];
  /** The newest snapshot, for a peer that needs entries which are gone. */
  snapshot(): SnapshotMetadata;
}
