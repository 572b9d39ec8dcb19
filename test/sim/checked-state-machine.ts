/**
 * The engine of a simulated node under observation: every entry is checked before it is applied, and the
 * state at some indices.
 */
import type { HashSeed } from '../../engine/storage/dictionary.js';
import type { Entry, NodeId, SnapshotMetadata } from '../../raft/index.js';
import { EngineStateMachine } from '../../src/replication/state-machine.js';
import type { MachineWorld } from './machine-world.js';
import type { Process } from './process.js';

/** The machine on which it runs. */
interface ObservedMachine {
  readonly number: number;
  readonly nodeId: NodeId;
  readonly world: MachineWorld;
  /** Snapshots that took the place of entries here. */
  installs: number;
  log(text: string): void;
  /** An entry is applied: now and then that keeps the process busy for a while. */
  takeTime(process: Process): void;
}

export class CheckedStateMachine extends EngineStateMachine {
  private last: Pick<Entry, 'index' | 'term'> = { index: 0, term: 0 };
  private cuts = 0;

  constructor(
    private readonly owner: ObservedMachine,
    private readonly process: Process,
    hashSeed: HashSeed,
  ) {
    // Slices end after a few steps, so that entries are applied between them.
    super({ hashSeed }, slicingClock(process));
  }

  override apply(entries: readonly Entry[]): void {
    const { world, nodeId } = this.owner;
    let from = 0;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      world.invariants.follows(nodeId, this.last.index, entry);
      world.invariants.applied(nodeId, entry);
      this.last = { index: entry.index, term: entry.term };
      if (entry.index % world.digestEvery !== 0) continue;
      super.apply(entries.slice(from, i + 1));
      from = i + 1;
      this.checkDigest();
    }
    if (from < entries.length) super.apply(from === 0 ? entries : entries.slice(from));
    this.owner.takeTime(this.process);
  }

  /**
   * Compares the state with that of the others at this index. A state that is being written is left alone.
   */
  checkDigest(): void {
    if (this.cuts > 0) return;
    const { last } = this;
    if (last.index > 0) this.owner.world.invariants.digest(this.owner.nodeId, last, this.engine.digest());
  }

  override async *cut(metadata: SnapshotMetadata): AsyncGenerator<Uint8Array> {
    this.cuts++;
    this.owner.log(`cuts a snapshot at ${metadata.index}`);
    this.owner.world.counts.snapshots++;
    this.owner.world.happened('cut', this.owner.number);
    try {
      yield* super.cut(metadata);
    } finally {
      this.cuts--;
    }
  }

  protected override installed({ index, term }: SnapshotMetadata): void {
    this.owner.log(`installed a snapshot at ${index}`);
    this.owner.world.counts.installs++;
    this.owner.installs++;
    this.owner.world.happened('install', this.owner.number);
    this.last = { index, term };
    this.checkDigest();
  }
}

function slicingClock(process: Process): Process {
  let steps = 0;
  return Object.create(process, {
    monotonicMs: { value: () => process.monotonicMs() + steps++ },
  }) as Process;
}
