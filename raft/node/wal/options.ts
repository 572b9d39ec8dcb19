/** What a write-ahead log is opened with. */
import type { SnapshotMetadata } from '../../types.js';
import type { Clock } from '../clock.js';
import type { Disk } from '../directory/disk.js';
import type { StorageError } from '../errors.js';

/** When a batch counts as persisted: after fdatasync; when written, with a sync each second; when written. */
export type Durability = 'low' | 'medium' | 'high';

export interface WalOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  /** Directory of the segments; it must exist. */
  readonly directory: string;
  readonly clusterId: string;
  readonly nodeId: number;
  /** Seed of all checksums, from the identity file: nobody who only sends values can forge a record. */
  readonly salt: number;
  readonly durability: Durability;
  /** What the newest good snapshot covers. */
  readonly snapshot: SnapshotMetadata;
  /** Whether this node cut that snapshot itself: then its log was durable up to there. */
  readonly snapshotIsOwn?: boolean;
  /** The log must be there: a directory that was in use and lost it is refused. */
  readonly mustExist: boolean;
  /** The position up to which the log was noted as durable: one that ends before it is refused. */
  readonly reach?: number;
  /** The log is durable up to a position: to be noted in a place of its own. Must not reject. */
  readonly onReach?: (position: number) => Promise<void>;
  /** Called once, when a write or a sync has failed: the process is to stop. */
  readonly onFailure: (error: StorageError) => void;
  /** What each sync took. */
  readonly onSync?: (milliseconds: number) => void;
  /** One line for the operator, such as that a torn tail was cut. */
  readonly onNotice?: (text: string) => void;
  /** While recovering: bytes read so far and in all, and entries found. */
  readonly onProgress?: (bytes: number, bytesTotal: number, entries: number) => void;
  /** A segment that has reached this many bytes is closed. */
  readonly segmentBytes?: number;
  /** Entries kept in memory, in bytes. */
  readonly cacheBytes?: number;
}
