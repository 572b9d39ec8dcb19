/** What a node is given to run with, and what it reports. */
import type { Entry, Membership, NodeId, ReadState, SnapshotMetadata, SoftState } from '../index.js';
import type { Clock } from './clock.js';
import type { DataDirectory } from './directory/data-directory.js';
import type { Identity } from './directory/identity.js';
import type { Transport } from './peer/transport.js';
import type { SnapshotReader } from './snapshot/store.js';
import type { Durability } from './wal/options.js';

/** What the log drives. */
export interface StateMachine {
  /**
   * Takes committed entries of every kind, in order, each once. Must not throw: an entry that cannot be
   * applied ends the node.
   */
  apply(entries: readonly Entry[]): void;
  /** Freezes the state as it is now, at `metadata.index`, and gives its bytes bit by bit. */
  cut(metadata: SnapshotMetadata): AsyncIterable<Uint8Array>;
  /** Replaces the whole state by that of a snapshot. */
  install(reader: SnapshotReader): Promise<void>;
  /** Begins to restore a snapshot that a peer streams, beside the state in force, which stays as it is. */
  stage(metadata: SnapshotMetadata): StagedState;
}

/** The state of a snapshot that is on its way from a peer. Dropped if it is not installed. */
export interface StagedState {
  /** Takes the next bytes. Rejects if they cannot be a snapshot's. */
  feed(chunk: Uint8Array): Promise<void>;
  /** All bytes have come. @throws Error if they are not the whole of what `metadata` names */
  verify(): void;
  /** Replaces the whole state by this one. Only behind {@link verify}. */
  install(): void;
}

export interface RaftNodeOptions {
  /** Who this node is. */
  readonly identity: Identity;
  /** Where its files are; without one it keeps everything in memory. */
  readonly directory?: DataDirectory;
  readonly clock: Clock;
  readonly transport: Transport;
  /** Numbers in [0, 1), for election timeouts. */
  readonly random: () => number;
  readonly stateMachine: StateMachine;
  readonly durability: Durability;
  /** Unit of the core's time. Default 25. */
  readonly tickMs?: number;
  /**
   * A follower campaigns after more than this and at most twice this without a leader. All nodes of a cluster
   * have the same.
   */
  readonly electionTimeoutMs?: number;
  /** Default 100, or less where the election timeout is short. */
  readonly heartbeatMs?: number;
  /**
   * A snapshot is taken when this many bytes of log have been applied since the last one. Default 128 MiB.
   */
  readonly snapshotLogBytes?: number;
  /**
   * A snapshot is taken this long after the last one, if anything was applied since. Default: only by bytes.
   */
  readonly snapshotIntervalMs?: number;
  /** Log that is kept behind a snapshot for followers that lag. Default 64 MiB. */
  readonly logTailBytes?: number;
  /** No snapshot is written that would leave less of the disk to the log. Default 0. */
  readonly reserveBytes?: number;
  /** Segments of the log; for tests. */
  readonly segmentBytes?: number;
  /**
   * All reads asked under `context` may be answered once `index` is applied (it is, unless a snapshot is
   * being installed).
   */
  readonly onReadStates?: (states: readonly ReadState[]) => void;
  /** These will never be answered: ask again or say so. */
  readonly onReadsDropped?: (contexts: readonly number[]) => void;
  /** Role, leader or term changed. */
  readonly onSoftState?: (state: SoftState) => void;
  /** The membership in force changed (it may not be committed yet). */
  readonly onMembership?: (membership: Membership) => void;
  /**
   * The node must stop: its disk failed, or it found proof of a broken invariant. It has fallen silent
   * already.
   */
  readonly onFailure: (error: Error) => void;
  /** One line for the operator. */
  readonly onNotice?: (text: string) => void;
  readonly onRecovery?: (progress: RecoveryProgress) => void;
  /** What each sync of the log took. */
  readonly onSync?: (milliseconds: number) => void;
  /** A snapshot that is received from or sent to a peer. */
  readonly onTransfer?: (progress: TransferProgress) => void;
}

export interface RecoveryProgress {
  readonly phase: 'log' | 'snapshot' | 'replay';
  /** Bytes of the log or the snapshot, entries of the replay. */
  readonly done: number;
  readonly total: number;
}

export interface TransferProgress {
  readonly direction: 'in' | 'out';
  readonly peer: NodeId;
  readonly bytes: number;
  readonly bytesTotal: number;
}

export interface Recovered {
  readonly snapshotIndex: number;
  readonly snapshotBytes: number;
  /** Entries that were replayed on top of it. */
  readonly entries: number;
}

/** What a node keeps on its disk, or in memory in its place. */
export interface StorageStatus {
  /** What the newest snapshot covers. */
  readonly snapshot: SnapshotMetadata;
  readonly snapshotBytes: number;
  readonly logBytes: number;
  readonly lastSyncMs: number;
  readonly isSnapshotting: boolean;
}
