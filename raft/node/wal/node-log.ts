/** What the driver of a node asks of a log, whether that lies in files or in memory. */
import type { Entry, HardState, LogStorage, SnapshotMetadata } from '../../types.js';
import type { StorageError } from '../errors.js';
import type { Durability } from './options.js';

export interface NodeLog extends LogStorage {
  readonly hardState: HardState;
  /** Bytes of log that are held. */
  readonly bytes: number;
  append(
    hardState: HardState | undefined,
    entries: readonly Entry[],
    done?: (error?: StorageError) => void,
  ): void;
  /** A snapshot takes the place of the whole log. */
  reset(metadata: SnapshotMetadata, done?: (error?: StorageError) => void): void;
  /** A newer snapshot can be had from now on; entries that it covers may be dropped. */
  setSnapshot(metadata: SnapshotMetadata): void;
  /** Drops entries up to `index`, except for the newest `keepBytes` of log. */
  compact(index: number, keepBytes: number): void;
  /** Resolves when all that was appended and acknowledged by now is durable. */
  makeDurable(): Promise<void>;
  setDurability(durability: Durability): void;
  close(): Promise<void>;
}
