/**
 * What the tests of the write-ahead log share: a log on a simulated disk, entries, and a clock that stands
 * still.
 */
import type { Clock } from '../../raft/node/clock.js';
import type { StorageError } from '../../raft/node/errors.js';
import type { WalOptions } from '../../raft/node/wal/options.js';
import { Wal } from '../../raft/node/wal/wal.js';
import type { Entry, SnapshotMetadata } from '../../raft/types.js';
import type { SimulatedDisk } from '../sim/disk.js';

export const emptySnapshot: SnapshotMetadata = {
  index: 0,
  term: 0,
  membership: { members: [], removed: [] },
};

/** A clock whose timers fire when `advance` is called. */
export class ManualClock implements Clock {
  now = 0;
  private timers: { at: number; callback: () => void }[] = [];
  monotonicMs(): number {
    return this.now;
  }
  wallMs(): number {
    return 1_700_000_000_000 + this.now;
  }
  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.now + delayMs, callback };
    this.timers.push(timer);
    return { cancel: () => this.timers.splice(this.timers.indexOf(timer) >>> 0, 1) };
  }
  afterInput(callback: () => void): void {
    queueMicrotask(callback);
  }
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.splice(this.timers.indexOf(due), 1);
      this.now = due.at;
      due.callback();
    }
    this.now = end;
  }
}

export const directory = '/data/log';

export function openWal(disk: SimulatedDisk, changes: Partial<WalOptions> = {}): Promise<Wal> {
  return Wal.open({
    disk,
    clock: new ManualClock(),
    directory,
    clusterId: '00112233445566778899aabbccddeeff',
    nodeId: 7,
    salt: 0x5eed,
    durability: 'high',
    snapshot: emptySnapshot,
    mustExist: false,
    onFailure: () => {},
    ...changes,
  });
}

export function entry(index: number, term = 1, payload: string | Uint8Array = `${index}@${term}`): Entry {
  return { index, term, kind: 0, payload: typeof payload === 'string' ? Buffer.from(payload) : payload };
}

export function run(first: number, last: number, term = 1): Entry[] {
  const made: Entry[] = [];
  for (let index = first; index <= last; index++) made.push(entry(index, term));
  return made;
}

/** Appends and waits until it is acknowledged. */
export function append(
  wal: Wal,
  entries: readonly Entry[],
  hardState?: Parameters<Wal['append']>[0],
): Promise<void> {
  return new Promise((resolve, reject) => {
    wal.append(hardState, entries, (error?: StorageError) =>
      error === undefined ? resolve() : reject(error),
    );
  });
}

/** The log's content in short: `index@term=payload`. */
export function listing(wal: Wal): string[] {
  const found: string[] = [];
  let index = wal.firstIndex();
  while (index <= wal.lastIndex()) {
    for (const one of wal.entries(index, wal.lastIndex() + 1, 1000)) {
      found.push(`${one.index}@${one.term}=${Buffer.from(one.payload).toString('latin1')}`);
      index = one.index + 1;
    }
  }
  return found;
}

/** A generator of numbers in [0, 1) (mulberry32), so that a seed names a run. */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
