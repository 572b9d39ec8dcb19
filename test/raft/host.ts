/**
 * A body for one core: a disk that may lag and lose what was not synced, and a state machine that remembers
 * what it applied.
 */
import assert from 'node:assert/strict';
import {
  type Entry,
  type Message,
  Raft,
  type RaftConfig,
  type Ready,
  type SnapshotMetadata,
} from '../../raft/index.js';
import type { MemoryStorage } from './memory-storage.js';

export class Host {
  raft: Raft;
  /** Readies whose writes and late messages are not done yet, oldest first. */
  writes: Ready[] = [];
  applied: Entry[] = [];
  /** Whether snapshots wait for {@link finishInstall} before the state machine stands at them. */
  slowInstall = false;
  installing: SnapshotMetadata | undefined;
  appliedIndex: number;

  constructor(
    readonly config: RaftConfig,
    readonly storage: MemoryStorage,
    readonly send: (message: Message) => void,
    readonly written: (entry: Entry, previousTerm: number | undefined) => void = () => {},
  ) {
    this.appliedIndex = storage.snapshot().index;
    // What it starts from was written long ago.
    this.raft = new Raft({ ...config, quietTicks: 0 }, storage, storage.hardState);
  }

  /**
   * Takes one Ready: sends what may leave, applies what is committed, queues the rest for {@link persist}.
   */
  take(): Ready {
    const ready = this.raft.ready();
    for (const message of ready.messages) this.send(message);
    this.writes.push(ready);
    for (const entry of ready.committed) {
      assert.equal(entry.index, this.appliedIndex + 1, 'applied in order');
      this.applied.push(entry);
      this.appliedIndex = entry.index;
    }
    if (ready.committed.length > 0) this.raft.applied(this.appliedIndex);
    return ready;
  }

  /** Ends the oldest `count` writes by one sync. */
  persist(count = this.writes.length): void {
    const done = this.writes.splice(0, count);
    for (const ready of done) this.#write(ready);
    const last = done.at(-1);
    if (last === undefined) return;
    this.raft.persisted(last.sequence);
    for (const { snapshot } of done) {
      if (snapshot === undefined) continue;
      this.installing = snapshot;
      if (!this.slowInstall) this.finishInstall();
    }
    for (const ready of done) for (const message of ready.messagesAfterPersist) this.send(message);
  }

  /** The state machine has taken the snapshot in. */
  finishInstall(): void {
    if (this.installing === undefined) return;
    this.appliedIndex = this.installing.index;
    this.raft.snapshotInstalled(this.installing);
    this.installing = undefined;
  }

  #write({ hardState, snapshot, entries }: Ready, entryCount = entries.length): void {
    if (hardState !== undefined) this.storage.hardState = hardState;
    if (snapshot !== undefined) this.storage.install(snapshot);
    for (const entry of entries.slice(0, entryCount)) {
      this.storage.append([entry]);
      this.written(entry, this.storage.term(entry.index - 1));
    }
  }

  /**
   * The machine dies and starts again from its disk.
   *
   * @param keptWrites how many of the writes under way had reached the disk, and how many entries of the next
   * one
   */
  crash(keptWrites = 0, keptEntries = 0): void {
    for (const ready of this.writes.slice(0, keptWrites)) this.#write(ready);
    const torn = this.writes[keptWrites];
    if (torn !== undefined && keptEntries > 0) this.#write(torn, keptEntries);
    this.writes = [];
    this.installing = undefined;
    this.appliedIndex = this.storage.snapshot().index;
    this.applied = this.applied.filter((entry) => entry.index <= this.appliedIndex);
    this.raft = new Raft(this.config, this.storage, this.storage.hardState);
  }

  /** Cuts a snapshot of the state machine as it stands. */
  cutSnapshot(): void {
    const index = this.appliedIndex;
    if (index === this.storage.snapshot().index) return;
    const term = this.storage.term(index);
    assert(term !== undefined);
    this.storage.cut({ index, term, membership: this.raft.membershipAt(index) });
  }
}
