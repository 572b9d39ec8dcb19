/** The log against a model, through random appends, replacements, snapshots, kills and power cuts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Durability } from '../../raft/node/wal/options.js';
import type { Wal } from '../../raft/node/wal/wal.js';
import type { Entry, HardState, SnapshotMetadata } from '../../raft/types.js';
import { SimulatedDisk } from '../sim/disk.js';
import { append, emptySnapshot, entry, listing, openWal, run, seeded } from './wal-harness.js';

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 6 }),
      bytes: fc.integer({ min: 0, max: 700 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('large' as const),
      bytes: fc.integer({ min: 16_000, max: 40_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('replace' as const),
      back: fc.integer({ min: 1, max: 8 }),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('vote' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('compact' as const), back: fc.integer({ min: 0, max: 10 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('reset' as const), ahead: fc.integer({ min: 1, max: 50 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('crash' as const), seed: fc.integer() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

/** What must be there, and what may be there besides: appends that were not acknowledged yet. */
interface Model {
  snapshot: SnapshotMetadata;
  /** States of the log, oldest first; the first is acknowledged, the last is as appended. */
  states: { entries: Entry[]; hardState: HardState }[];
}

function image(entries: readonly Entry[]): string[] {
  return entries.map((one) => `${one.index}@${one.term}=${Buffer.from(one.payload).toString('latin1')}`);
}

async function check(
  seed: number,
  durability: Durability,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
): Promise<void> {
  const random = seeded(seed);
  const tasks: (() => void)[] = [];
  const disk = new SimulatedDisk({ schedule: (_operation, callback) => tasks.push(callback) });
  /** Lets the disk answer one call at a time until `done`, or for some calls only. */
  const pump = async (isDone: () => boolean): Promise<void> => {
    for (let idle = 0; !isDone() && idle < 50; ) {
      for (let i = 0; i < 20; i++) await Promise.resolve();
      const task = tasks.shift();
      if (task === undefined) idle++;
      else {
        idle = 0;
        task();
      }
    }
  };
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    let isDone = false;
    promise.then(
      () => {
        isDone = true;
      },
      () => {
        isDone = true;
      },
    );
    await pump(() => isDone);
    return promise;
  };
  const model: Model = {
    snapshot: emptySnapshot,
    states: [{ entries: [], hardState: { term: 0, vote: 0, commit: 0 } }],
  };
  const open = (): Promise<Wal> =>
    settle(openWal(disk, { durability, segmentBytes: 3000, cacheBytes: 2000, snapshot: model.snapshot }));
  let wal = await open();
  let term = 1;
  const latest = (): { entries: Entry[]; hardState: HardState } => model.states.at(-1)!;
  const add = (entries: Entry[], hardState: HardState, from: number): void => {
    const before = latest();
    const state = { entries: [...before.entries.filter((one) => one.index < from), ...entries], hardState };
    model.states.push(state);
    wal.append(hardState === before.hardState ? undefined : hardState, entries, (error) => {
      if (error === undefined) model.states.splice(0, Math.max(0, model.states.indexOf(state)));
    });
  };
  const lastIndex = (): number => latest().entries.at(-1)?.index ?? model.snapshot.index;
  /** What the log holds must be one of the states from the acknowledged one on. */
  const compare = (): void => {
    const found = listing(wal);
    const { hardState } = wal;
    const at = model.states.findIndex(
      (state) =>
        JSON.stringify(image(state.entries.filter((one) => one.index >= wal.firstIndex()))) ===
        JSON.stringify(found),
    );
    const match = model.states[at];
    assert.ok(
      match !== undefined,
      `found ${found.length} entries that match none of ${model.states.length} states`,
    );
    // A record carries the hard state as of its writing, which may be that of an append behind it.
    const isKnown = model.states
      .slice(at)
      .some((state) => state.hardState.term === hardState.term && state.hardState.vote === hardState.vote);
    assert.ok(isKnown, `found a hard state that was never appended: ${JSON.stringify(hardState)}`);
    assert.ok(wal.firstIndex() <= model.snapshot.index + 1);
    model.states = [{ entries: match.entries, hardState }];
    for (const one of match.entries)
      if (one.index >= wal.firstIndex()) assert.equal(wal.term(one.index), one.term);
  };
  for (const one of steps) {
    const { hardState } = latest();
    switch (one.do) {
      case 'append': {
        const first = lastIndex() + 1;
        const made: Entry[] = [];
        for (let i = 0; i < one.count; i++)
          made.push(entry(first + i, term, Buffer.alloc(one.bytes, 65 + (first % 26))));
        add(made, hardState, first);
        break;
      }
      case 'large':
        add([entry(lastIndex() + 1, term, Buffer.alloc(one.bytes, 97))], hardState, lastIndex() + 1);
        break;
      case 'replace': {
        const first = Math.max(model.snapshot.index + 1, lastIndex() + 1 - one.back);
        term++;
        const made: Entry[] = [];
        for (let i = 0; i < one.count; i++) made.push(entry(first + i, term));
        add(made, { ...hardState, term, vote: 0 }, first);
        break;
      }
      case 'vote':
        term++;
        add([], { term, vote: Math.floor(random() * 5), commit: hardState.commit }, lastIndex() + 1);
        break;
      case 'compact': {
        await pump(() => model.states.length === 1);
        const index = Math.max(model.snapshot.index, lastIndex() - one.back);
        const at = latest().entries.find((candidate) => candidate.index === index);
        if (at !== undefined) model.snapshot = { ...emptySnapshot, index, term: at.term };
        wal.setSnapshot(model.snapshot);
        wal.compact(model.snapshot.index, 0);
        break;
      }
      case 'reset': {
        await pump(() => model.states.length === 1);
        model.snapshot = { ...emptySnapshot, index: lastIndex() + one.ahead, term };
        await settle(new Promise<void>((resolve) => wal.reset(model.snapshot, () => resolve())));
        model.states = [{ entries: [], hardState: wal.hardState }];
        break;
      }
      case 'wait':
        for (let i = Math.floor(random() * 6); i > 0; i--) {
          for (let j = 0; j < 20; j++) await Promise.resolve();
          tasks.shift()?.();
        }
        break;
      case 'kill':
      case 'crash':
        for (let j = 0; j < 20; j++) await Promise.resolve();
        tasks.length = 0;
        if (one.do === 'kill') disk.kill();
        else disk.crash(seeded(one.seed));
        wal = await open();
        compare();
        break;
      case 'restart':
        await settle(wal.close());
        assert.equal(model.states.length, 1);
        wal = await open();
        compare();
        break;
    }
  }
  await settle(wal.close());
  assert.equal(model.states.length, 1, 'everything was acknowledged in the end');
  wal = await open();
  compare();
  await settle(wal.close());
}

test('whatever crash comes, all that was acknowledged is there and nothing else than what was appended', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(step, { minLength: 3, maxLength: 40 }), (seed, steps) =>
      check(seed, 'high', steps),
    ),
    { numRuns: 400 },
  );
});

test('at a lower durability a kill of the process loses nothing that was acknowledged', async () => {
  const harmless = step.filter((one) => one.do !== 'crash');
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.constantFrom('low' as const, 'medium' as const),
      fc.array(harmless, { minLength: 3, maxLength: 40 }),
      (seed, durability, steps) => check(seed, durability, steps),
    ),
    { numRuns: 100 },
  );
});

test('the name of a segment is durable before the log goes on in it, whoever created it', async () => {
  const disk = new SimulatedDisk();
  const options = { segmentBytes: 400 };
  const wal = await openWal(disk, options);
  const faults = disk.options as { fault?: unknown };
  faults.fault = (operation: string) =>
    operation === 'syncDirectory' ? Object.assign(new Error('EIO'), { code: 'EIO' }) : undefined;
  let last = 0;
  await assert.rejects(async () => {
    for (;;) await append(wal, run(last + 1, ++last));
  });
  disk.kill();
  faults.fault = undefined;
  const again = await openWal(disk, options);
  last = again.lastIndex();
  await append(again, run(last + 1, last + 1));
  disk.crash(() => 0, 0);
  const third = await openWal(disk, options);
  assert.equal(third.lastIndex(), last + 1);
});
