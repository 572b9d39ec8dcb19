/**
 * `npm run sim -- --seeds N [--from N] [--jobs N] [--minutes N]`: many seeds, in parallel, with a line of
 * progress. `npm run sim -- --seed N [--no-shrink]`: exactly one, with all there is to know about it. `npm
 * run sim -- --core N [--from N] [--jobs N]`: so many short schedules of the consensus core alone.
 */
import { parseArgs } from 'node:util';
import { searchInThreads } from '../raft/core-search.js';
import { runSeeds } from './parallel.js';
import { drawPlan } from './plan.js';
import { commitName, describeFailure } from './report.js';
import { runPlan } from './run-seed.js';
import { shrink } from './shrink.js';

const shrinkMs = 60_000;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    core: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
    /** Ends at the first failure, and says it in one line of JSON. */
    first: { type: 'boolean', default: false },
  },
});

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`--${name} ${text}: a whole number is wanted`);
    process.exit(2);
  }
  return value;
}

/** Runs one seed and says all about it. Returns whether it is clean. */
async function examine(seed: number): Promise<boolean> {
  const plan = drawPlan(seed);
  const result = await runPlan(plan);
  if (result.violation === undefined) {
    console.log(
      `seed ${seed} is clean: ${JSON.stringify(result.counts)}, ${result.virtualMs.toFixed(0)} ms of virtual time`,
    );
    return true;
  }
  if (values['no-shrink']) {
    console.log(describeFailure(plan, result, 0));
    return false;
  }
  const shrunk = await shrink(plan, result, performance.now() + shrinkMs);
  console.log(describeFailure(shrunk.plan, shrunk.result, shrunk.runs));
  return false;
}

if (values.seed !== undefined) {
  process.exit((await examine(count('seed', values.seed))) ? 0 : 1);
}

if (values.core !== undefined) {
  const began = performance.now();
  const jobs = values.jobs === undefined ? undefined : Math.max(1, count('jobs', values.jobs));
  const { schedules, counts, failure } = await searchInThreads(
    count('from', values.from),
    count('core', values.core),
    jobs,
  );
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(`${schedules} schedules of the core in ${seconds} s, commit ${commitName()}`);
  console.log([...counts].map(([event, times]) => `${event} ${times}`).join(', '));
  if (failure !== undefined) console.log(`schedule ${failure.seed}: ${failure.message}`);
  process.exit(failure === undefined ? 0 : 1);
}

const seeds = count('seeds', values.seeds);
if (values.first) {
  const outcome = await runSeeds({ from: count('from', values.from), seeds, stopAtFailure: true });
  console.log(JSON.stringify({ done: outcome.done, failure: outcome.failures[0] }));
  process.exit(outcome.failures.length > 0 ? 1 : 0);
}
const isTerminal = process.stdout.isTTY === true;
let failed = 0;
let saidAt = performance.now();
const { done, failures, counts, elapsedMs } = await runSeeds({
  from: count('from', values.from),
  seeds,
  jobs: values.jobs === undefined ? undefined : Math.max(1, count('jobs', values.jobs)),
  limitMs: values.minutes === undefined ? undefined : Number(values.minutes) * 60_000,
  onOutcome: (outcome, so) => {
    if (outcome.violation !== undefined) {
      failed++;
      const [first] = outcome.violation.message.split('\n');
      console.log(
        `${isTerminal ? '\r\x1b[K' : ''}seed ${outcome.seed}: ${outcome.violation.check}: ${first}`,
      );
    }
    const now = performance.now();
    if (now - saidAt < (isTerminal ? 200 : 15_000) && so < seeds) return;
    saidAt = now;
    const width = 30;
    const bar = '#'.repeat(Math.floor((so / seeds) * width)).padEnd(width, '.');
    const line = `[${bar}] ${so} of ${seeds} seeds, ${failed} failed`;
    process.stdout.write(isTerminal ? `\r\x1b[K${line}${so === seeds ? '\n' : ''}` : `${line}\n`);
  },
});
const seconds = elapsedMs / 1000;
console.log(
  `${done} seeds in ${seconds.toFixed(0)} s (${((done / seconds) * 60).toFixed(0)} a minute), commit ${commitName()}, ${failures.length} failed`,
);
console.log(
  Object.entries(counts)
    .map(([name, total]) => `${name} ${total}`)
    .join(', '),
);
if (failures.length > 0) {
  console.log(`failed: ${failures.map((failure) => failure.seed).join(' ')}`);
  await examine(failures[0]!.seed);
  process.exit(1);
}
