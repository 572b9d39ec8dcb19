/**
 * How a process fares before it is warm: the first 100,000 requests after its start, the next 400,000, and as
 * many as the first once it has served a million.
 */
import type { Starter } from './compare.js';
import { drive, type Round } from './drive.js';
import { median, short, table } from './statistics.js';
import { type Workload, workloads } from './workloads.js';

const CLIENTS = 50;
const FIRST = 100_000;
const NEXT = 400_000;
const WARM_BEHIND = 500_000;

const phases = ['first', 'next', 'warm'] as const;
type Phases = Readonly<Record<(typeof phases)[number], Round>>;

export interface FirstSecond {
  readonly workload: string;
  readonly pipeline: number;
  readonly ours: Phases;
  readonly theirs: Phases;
}

async function live(start: Starter, workload: Workload, pipeline: number): Promise<Phases> {
  const server = await start('memory');
  const run = (requests: number): Promise<Round> => drive(server.port, workload, CLIENTS, pipeline, requests);
  try {
    const first = await run(FIRST);
    const next = await run(NEXT);
    await run(WARM_BEHIND);
    return { first, next, warm: await run(FIRST) };
  } finally {
    await server.stop();
  }
}

function medians(lives: readonly Phases[]): Phases {
  const of = (phase: keyof Phases): Round => ({
    requestsPerSecond: median(lives.map((life) => life[phase].requestsPerSecond)),
    p50Ms: median(lives.map((life) => life[phase].p50Ms)),
    p99Ms: median(lives.map((life) => life[phase].p99Ms)),
  });
  return { first: of('first'), next: of('next'), warm: of('warm') };
}

/** Starts each of the two `rounds` times, in turn, for SET and GET with a pipeline of 1 and of 16. */
export async function measureFirstSecond(
  [ours, theirs]: readonly [Starter, Starter],
  rounds: number,
): Promise<FirstSecond[]> {
  const results: FirstSecond[] = [];
  for (const name of ['SET', 'GET']) {
    // An empty keyspace answers GET: to fill it would warm the process up.
    const workload = { ...workloads.find((one) => one.name === name)!, keys: 100_000 };
    for (const pipeline of [1, 16]) {
      const lives: { ours: Phases[]; theirs: Phases[] } = { ours: [], theirs: [] };
      for (let round = 0; round < rounds; round++) {
        lives.ours.push(await live(ours, workload, pipeline));
        lives.theirs.push(await live(theirs, workload, pipeline));
      }
      results.push({
        workload: name,
        pipeline,
        ours: medians(lives.ours),
        theirs: medians(lives.theirs),
      });
    }
  }
  return results;
}

/** The results as Markdown. */
export function firstSecondTable(results: readonly FirstSecond[]): string {
  const rows = results.flatMap(({ workload, pipeline, ours, theirs }) =>
    (
      [
        ['Redraft', ours],
        ['Redis', theirs],
      ] as const
    ).map(([name, lived]) => [
      ...[workload, `${pipeline}`, name],
      ...phases.map((phase) => short(lived[phase].requestsPerSecond)),
      (lived.first.requestsPerSecond / lived.warm.requestsPerSecond).toFixed(2),
      ...phases.map((phase) => lived[phase].p99Ms.toFixed(2)),
    ]),
  );
  const head = ['workload', 'P', 'server', 'first 100k/s', 'next 400k/s', 'warm/s', 'first to warm'];
  return table([[...head, 'p99 ms first', 'next', 'warm'], ...rows]);
}
