/**
 * The properties of the Raft paper's figure 3, over random runs. `node dist/test/raft/chaos.test.js --seeds
 * 1000 --from 1` hunts longer; `--seeds 1 --from N` replays one.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chaos } from './chaos.js';

function option(name: string, otherwise: number): number {
  const place = process.argv.indexOf(`--${name}`);
  return place < 0 ? otherwise : Number(process.argv[place + 1]);
}

const seeds = option('seeds', 40);
const from = option('from', 1);
const steps = option('steps', 4000);

/** Runs all seeds. @returns how often each kind of event happened */
function run(isLockstep: boolean): Map<string, number> {
  const totals = new Map<string, number>();
  for (let seed = from; seed < from + seeds; seed++) {
    const founders = [3, 3, 4, 5, 1][seed % 5]!;
    const chaos = new Chaos(seed, { founders, mostNodes: 7, steps, isLockstep });
    try {
      chaos.run();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    for (const [event, count] of chaos.counts) totals.set(event, (totals.get(event) ?? 0) + count);
  }
  if (process.argv.includes('--counts')) console.log(Object.fromEntries([...totals].sort()));
  return totals;
}

/** What the runs claim to cover must have happened. */
function assertHappened(totals: Map<string, number>, events: readonly string[]): void {
  if (seeds < 20) return;
  for (const event of events) assert((totals.get(event) ?? 0) > 0, `no ${event} in ${seeds} runs`);
}

test(`safety and liveness over ${seeds} random runs`, () => {
  assertHappened(run(false), [
    ...[
      'elected',
      'crash',
      'partition',
      'lost',
      'transfer',
      'timeoutNow',
      'add-learner',
      'promote',
      'remove',
    ],
    ...['snapshot installed', 'read answered', 'read dropped'],
  ]);
});

test(`one lease at a time over ${seeds} random runs with clocks in step`, () => {
  assertHappened(run(true), ['elected', 'lease held', 'partition', 'promote', 'remove']);
});
