/**
 * The engine as the consensus node drives it: applying, cutting snapshots, installing them. It alone holds
 * the engine; whoever needs it asks here.
 */

import {
  BehaviourLevelError,
  type Cut,
  Engine,
  type EngineOptions,
  RESERVED_FOR_STRANGERS,
  Restore,
  silentListener,
} from '../../engine/index.js';
import { type Entry, EntryKind, type SnapshotMetadata } from '../../raft/index.js';
import {
  type Clock,
  nodeClock,
  type SnapshotReader,
  type StagedState,
  type StateMachine,
} from '../../raft/node/index.js';
import { replies } from '../replies.js';
import { type Replica, type StateOwner, unappliable } from './replica.js';

/** How long one slice of a snapshot, written or read, may keep the event loop. */
const SLICE_MS = 2;
/** So much of a snapshot takes well under a slice to take in. */
const SLICE_BYTES = 32 * 1024;

export class EngineStateMachine implements StateMachine, StateOwner {
  engine: Engine;
  /** Set once the program serves; before that entries are replayed for the state alone. */
  replica: Replica | undefined;
  /** Told of each snapshot that is written, at its begin and its end. */
  onSnapshot: ((event: 'began' | 'succeeded' | 'failed', index: number) => void) | undefined;
  /** Told of each snapshot's cut at its very instant; returns who looks at each key as it is written. */
  cutWatch: ((index: number) => ((database: number, slot: number) => void) | undefined) | undefined;
  /** A snapshot is being cut; resolves with its end. */
  private cutEnds: Promise<void> | undefined;
  private digesting: Cut | undefined;
  private digestEnds: Promise<void> = Promise.resolve();
  /** Keys that the last installed snapshot held. */
  restoredKeys = 0;

  constructor(
    private readonly options: EngineOptions,
    private readonly clock: Clock = nodeClock,
  ) {
    this.engine = new Engine(options);
  }

  apply(entries: readonly Entry[]): void {
    if (this.replica === undefined) replay(this.engine, entries);
    else this.replica.apply(entries);
  }

  async *cut(metadata: SnapshotMetadata): AsyncGenerator<Uint8Array> {
    // A digest under way starts again later: a snapshot must stand at the index that it was asked for.
    this.digesting?.abort();
    const cut = this.engine.cut(true, this.cutWatch?.(metadata.index));
    if (cut.index !== metadata.index) {
      cut.abort();
      throw new Error(
        `the state stands at index ${cut.index}, the snapshot was asked for at ${metadata.index}`,
      );
    }
    let succeeded = false;
    this.onSnapshot?.('began', metadata.index);
    const { statistics } = this.engine.keyspace;
    const { changesSinceSnapshot } = statistics;
    const done = this.beginCut();
    try {
      for (;;) {
        const until = this.clock.monotonicMs() + SLICE_MS;
        const bytes = cut.next(() => this.clock.monotonicMs() < until);
        if (bytes === undefined) {
          succeeded = true;
          statistics.changesSinceSnapshot -= changesSinceSnapshot;
          return;
        }
        if (bytes.length > 0) yield bytes;
        await this.turn();
      }
    } finally {
      this.onSnapshot?.(succeeded ? 'succeeded' : 'failed', metadata.index);
      cut.abort();
      done();
    }
  }

  /** Notes that a snapshot is being cut; returns what ends that. */
  private beginCut(): () => void {
    let end: (() => void) | undefined;
    this.cutEnds = new Promise((resolve) => {
      end = resolve;
    });
    return () => {
      this.cutEnds = undefined;
      end?.();
    };
  }

  /**
   * The digest of the whole state at an index, reckoned in slices while the engine goes on.
   *
   * @param index waited for if it is to come; by default, wherever the state stands now
   * @throws ErrorReply if the state has passed the index, or a snapshot came in between
   */
  async digest(index?: number): Promise<{ readonly index: number; readonly digest: string }> {
    for (;;) {
      while (this.cutEnds !== undefined || this.digesting !== undefined) {
        await (this.cutEnds ?? this.digestEnds);
      }
      const cut = index === undefined ? this.engine.cut(false) : await this.cutAt(index);
      this.digesting = cut;
      this.digestEnds = this.digestCut(cut);
      await this.digestEnds;
      if (cut.isComplete) return { index: cut.index, digest: cut.digest };
      if (index !== undefined) throw replies.digestInterrupted;
    }
  }

  private async digestCut(cut: Cut): Promise<void> {
    for (;;) {
      const until = this.clock.monotonicMs() + SLICE_MS;
      if (cut.next(() => this.clock.monotonicMs() < until) === undefined) break;
      await this.turn();
    }
    this.digesting = undefined;
  }

  private cutAt(index: number): Promise<Cut> {
    return new Promise((resolve, reject) => {
      const arrived = (at: number): void => {
        if (at !== index) {
          reject(replies.indexPassed(index, at));
        } else if (this.cutEnds !== undefined || this.digesting !== undefined) {
          reject(replies.digestInterrupted);
        } else {
          this.digesting = this.engine.cut(false);
          resolve(this.digesting);
        }
      };
      if (this.engine.appliedIndex >= index) arrived(this.engine.appliedIndex);
      else this.replica?.whenApplied(index, arrived);
    });
  }

  /**
   * Goes on with an engine that is restored from a cut of the present one, in one step: nothing may be
   * applied in between.
   */
  reload(): void {
    this.digesting?.abort();
    const cut = this.engine.cut();
    const restore = new Restore(this.options);
    for (let bytes = cut.next(() => true); bytes !== undefined; bytes = cut.next(() => true)) {
      restore.feed(bytes);
    }
    this.goOnWith(restore.finish());
  }

  async install(reader: SnapshotReader): Promise<void> {
    const staged = this.restoring(reader.metadata);
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
      await staged.feed(chunk);
    }
    staged.verify();
    staged.install();
  }

  stage(metadata: SnapshotMetadata): StagedState {
    return this.restoring(metadata, RESERVED_FOR_STRANGERS);
  }

  private restoring(metadata: SnapshotMetadata, reservedKeysMax?: number): StagedState {
    const restore = new Restore(this.options, reservedKeysMax);
    let restored: Engine | undefined;
    let sliceEnds = this.clock.monotonicMs() + SLICE_MS;
    // A piece ends within a record, which is then decoded twice: while nobody is served, pieces are as large
    // as they come.
    const pieceBytes = this.replica === undefined ? Number.POSITIVE_INFINITY : SLICE_BYTES;
    return {
      feed: async (chunk) => {
        const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          restore.feed(bytes.subarray(at, at + pieceBytes));
          if (this.clock.monotonicMs() < sliceEnds) continue;
          await this.turn();
          sliceEnds = this.clock.monotonicMs() + SLICE_MS;
        }
      },
      verify: () => {
        const engine = restore.finish();
        if (engine.appliedIndex !== metadata.index)
          throw new Error(
            `the state of index ${engine.appliedIndex} in a snapshot of index ${metadata.index}`,
          );
        restored = engine;
      },
      install: () => {
        if (restored === undefined) throw new Error('a snapshot is installed that was not verified');
        this.restoredKeys = restore.keys;
        this.goOnWith(restored);
        this.installed(metadata);
      },
    };
  }

  private goOnWith(engine: Engine): void {
    const previous = this.engine;
    this.engine = engine;
    this.replica?.adopted(previous);
  }

  /** The state is that of a snapshot now; for tests. */
  protected installed(_metadata: SnapshotMetadata): void {}

  /** Lets the event loop take in what has arrived. */
  private turn(): Promise<void> {
    return new Promise((resolve) => this.clock.afterInput(resolve));
  }
}

/** Applies entries for the state alone: at a start, before anybody is served. */
function replay(engine: Engine, entries: readonly Entry[]): void {
  for (const { kind, index, payload } of entries) {
    if (kind === EntryKind.command) {
      try {
        const { buffer, byteOffset, byteLength } = payload;
        engine.apply(index, Buffer.from(buffer, byteOffset, byteLength), silentListener);
      } catch (error) {
        if (error instanceof BehaviourLevelError) throw error;
        throw new Error(`${unappliable(index)}: ${(error as Error).message}`, { cause: error });
      }
    } else {
      if (kind === EntryKind.noop) engine.dropWaiters(silentListener);
      engine.appliedIndex = index;
    }
  }
}
