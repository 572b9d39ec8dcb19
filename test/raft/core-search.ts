/**
 * Many short schedules of the core alone, without engine, files or sockets: messages are lost, doubled and
 * reordered, nodes crash, memberships change. A schedule takes less than a millisecond, so that a hundred
 * thousand are a matter of a minute: `npm run sim -- --core 100000`.
 */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Chaos } from './chaos.js';

const STEPS = 200;
/** Every other schedule is a row of elections, with steps between them. */
const ERAS = { share: 0.2, steps: 60 };
/** Every so many schedules the faults end, and all must become even: that takes longer than the schedule. */
const RECOVERS_EVERY = 16;
/** Schedules that a thread takes on at a time. */
const BATCH = 500;

export interface SearchResult {
  readonly schedules: number;
  /** How often each kind of event happened. */
  readonly counts: ReadonlyMap<string, number>;
  /** The first schedule that broke a property. */
  readonly failure: { readonly seed: number; readonly message: string } | undefined;
}

/** Runs schedules one after the other, until one fails. */
export function searchSchedules(from: number, count: number): SearchResult {
  const counts = new Map<string, number>();
  for (let seed = from; seed < from + count; seed++) {
    const founders = [3, 3, 3, 5, 2, 4][seed % 6]!;
    const recovers = seed % RECOVERS_EVERY === 0;
    const hasEras = seed % 2 === 1;
    const chaos = new Chaos(seed, {
      founders,
      mostNodes: founders + 1,
      steps: hasEras ? ERAS.steps : STEPS,
      eras: hasEras ? ERAS.share : 0,
      isLockstep: false,
      isSearch: true,
      recovers,
    });
    try {
      chaos.run();
    } catch (error) {
      const { message } = error as Error;
      return { schedules: seed - from + 1, counts, failure: { seed, message } };
    }
    for (const [event, times] of chaos.counts) counts.set(event, (counts.get(event) ?? 0) + times);
  }
  return { schedules: count, counts, failure: undefined };
}

/** {@link searchSchedules} on all cores. */
export async function searchInThreads(
  from: number,
  count: number,
  jobs = availableParallelism(),
): Promise<SearchResult> {
  const counts = new Map<string, number>();
  let next = from;
  let schedules = 0;
  let failure: SearchResult['failure'];
  const work = async (): Promise<void> => {
    while (next < from + count && failure === undefined) {
      const size = Math.min(BATCH, from + count - next);
      const begin = next;
      next += size;
      const result = await searchInThread(begin, size);
      schedules += result.schedules;
      failure ??= result.failure;
      for (const [event, times] of result.counts) counts.set(event, (counts.get(event) ?? 0) + times);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return { schedules, counts, failure };
}

function searchInThread(from: number, count: number): Promise<SearchResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { from, count } });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

if (!isMainThread && parentPort !== null) {
  const { from, count } = workerData as { from: number; count: number };
  parentPort.postMessage(searchSchedules(from, count));
}
