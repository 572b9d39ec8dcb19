/** The engine as the consensus node drives it: applying, cutting snapshots, installing them. */
import type { HashSeed } from '../engine/dictionary.js';
import { Engine, Restore, type Settings } from '../engine/index.js';
import type { Entry, SnapshotMetadata } from '../raft/index.js';
import type { SnapshotReader, StateMachine } from '../raft/node/index.js';
import type { Replica } from './replica.js';

/** How long one slice of a snapshot, written or read, may keep the event loop. */
const SLICE_MS = 2;

/** Lets the event loop take in what has arrived. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class EngineStateMachine implements StateMachine {
  engine: Engine;
  /** Set once the program serves; before that entries are replayed for the state alone. */
  replica: Replica | undefined;
  /** Told of each snapshot that is written, at its begin and its end. */
  onSnapshot: ((event: 'began' | 'succeeded' | 'failed') => void) | undefined;
  /** Keys that the last installed snapshot held. */
  restoredKeys = 0;

  constructor(
    private readonly hashSeed: HashSeed,
    private readonly settings: Partial<Settings>,
    private readonly replay: (engine: Engine, entries: readonly Entry[]) => void,
  ) {
    this.engine = new Engine({ hashSeed, settings });
  }

  apply(entries: readonly Entry[]): void {
    if (this.replica === undefined) this.replay(this.engine, entries);
    else this.replica.apply(entries);
  }

  async *cut(metadata: SnapshotMetadata): AsyncGenerator<Uint8Array> {
    const cut = this.engine.cut();
    if (cut.index !== metadata.index) {
      cut.abort();
      throw new Error(
        `the state stands at index ${cut.index}, the snapshot was asked for at ${metadata.index}`,
      );
    }
    let succeeded = false;
    this.onSnapshot?.('began');
    const { statistics } = this.engine.keyspace;
    const { changesSinceSnapshot } = statistics;
    try {
      for (;;) {
        const until = performance.now() + SLICE_MS;
        const bytes = cut.next(() => performance.now() < until);
        if (bytes === undefined) {
          succeeded = true;
          statistics.changesSinceSnapshot -= changesSinceSnapshot;
          return;
        }
        if (bytes.length > 0) yield bytes;
        await turn();
      }
    } finally {
      this.onSnapshot?.(succeeded ? 'succeeded' : 'failed');
      cut.abort();
    }
  }

  /** Goes on with an engine that is restored from a cut of the present one, in one step: nothing may be applied in between. */
  reload(): void {
    const cut = this.engine.cut();
    const restore = new Restore({ hashSeed: this.hashSeed, settings: this.settings });
    for (let bytes = cut.next(() => true); bytes !== undefined; bytes = cut.next(() => true)) {
      restore.feed(bytes);
    }
    this.engine = restore.finish();
    this.replica?.adopt(this.engine);
  }

  async install(reader: SnapshotReader): Promise<void> {
    const restore = new Restore({ hashSeed: this.hashSeed, settings: this.settings });
    let sliceEnds = performance.now() + SLICE_MS;
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      // A piece of this size takes well under a slice to take in.
      for (let at = 0; at < bytes.length; at += 32 * 1024) {
        restore.feed(bytes.subarray(at, at + 32 * 1024));
        if (performance.now() < sliceEnds) continue;
        await turn();
        sliceEnds = performance.now() + SLICE_MS;
      }
    }
    this.engine = restore.finish();
    this.restoredKeys = restore.keys;
    this.replica?.adopt(this.engine);
  }
}
