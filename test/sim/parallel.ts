/** Runs many seeds in as many processes as there are cores. */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { SeedOutcome } from './worker.js';

/** Real time after which a seed counts as hanging: some hundred times what one takes. */
const patienceMs = 240_000;

export interface ParallelOptions {
  readonly from: number;
  readonly seeds: number;
  readonly jobs?: number;
  /** Ends the run at the first failure. */
  readonly stopAtFailure?: boolean;
  /** Real time after which no further seed is begun. */
  readonly limitMs?: number;
  readonly onOutcome?: (outcome: SeedOutcome, done: number) => void;
}

export interface ParallelResult {
  readonly done: number;
  readonly failures: readonly SeedOutcome[];
  readonly counts: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

export async function runSeeds(options: ParallelOptions): Promise<ParallelResult> {
  const { from, seeds } = options;
  const jobs = Math.min(options.jobs ?? availableParallelism(), seeds);
  const began = performance.now();
  const failures: SeedOutcome[] = [];
  const counts: Record<string, number> = {};
  let next = from;
  let done = 0;
  const isOver = (): boolean =>
    next >= from + seeds ||
    (options.stopAtFailure === true && failures.length > 0) ||
    performance.now() - began > (options.limitMs ?? Number.POSITIVE_INFINITY);
  const note = (outcome: SeedOutcome): void => {
    done++;
    if (outcome.violation !== undefined) failures.push(outcome);
    for (const [name, count] of Object.entries(outcome.counts)) counts[name] = (counts[name] ?? 0) + count;
    options.onOutcome?.(outcome, done);
  };
  const work = async (): Promise<void> => {
    let child: ChildProcess | undefined;
    while (!isOver()) {
      const seed = next++;
      child ??= fork(fileURLToPath(new URL('worker.js', import.meta.url)), {
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      const outcome = await ask(child, seed);
      if (outcome.violation?.check === 'no crash') {
        child.kill('SIGKILL');
        child = undefined;
      }
      note(outcome);
    }
    child?.kill('SIGKILL');
  };
  await Promise.all(Array.from({ length: jobs }, work));
  failures.sort((a, b) => a.seed - b.seed);
  return { done, failures, counts, elapsedMs: performance.now() - began };
}

function ask(child: ChildProcess, seed: number): Promise<SeedOutcome> {
  return new Promise((resolve) => {
    let text = '';
    const failed = (message: string): void =>
      end({ seed, violation: { check: 'no crash', message }, counts: {} });
    const onError = (chunk: Buffer): void => {
      text += chunk.toString();
    };
    const onExit = (): void => failed(`the process died: ${text.slice(0, 2000)}`);
    const timer = setTimeout(() => failed(`no end within ${patienceMs} ms of real time`), patienceMs);
    const end = (outcome: SeedOutcome): void => {
      clearTimeout(timer);
      child.off('message', end);
      child.off('exit', onExit);
      child.stderr!.off('data', onError);
      resolve(outcome);
    };
    child.on('message', end);
    child.on('exit', onExit);
    child.stderr!.on('data', onError);
    child.send(seed);
  });
}
