/**
 * `npm run conformance:lua -- [--programs N] [--seed N]`: random programs in redis-server's Lua and in
 * Redraft's; prints those that differ.
 */
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { startRedis } from '../servers.js';
import { ProgramGenerator } from './generate-program.js';
import { askRedis } from './redis-lua.js';
import { protectedState, runProgram } from './run-program.js';

const programsPerCall = 200;
const differencesShown = 10;
const progressEveryMs = 10_000;

// No program comes twice.
setFlagsFromString('--no-compilation-cache');

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const count = Number(values.programs);
const seed = Number(values.seed);
const started = performance.now();
const server = await startRedis();
const state = protectedState();
let done = 0;
let differences = 0;
let errors = 0;
let roundings = 0;
let shownAt = started;

interface Batch {
  readonly seed: number;
  readonly sources: readonly string[];
  /** What they show in redis-server, which runs them while this process does something else. */
  readonly theirs: Promise<string[]>;
}

function batch(at: number): Batch {
  const generator = new ProgramGenerator(seed + at);
  const sources = Array.from({ length: Math.min(programsPerCall, count - at) }, () => generator.program());
  return { seed: seed + at, sources, theirs: askRedis(server, sources) };
}

/** JavaScript does not tell the sign of a NaN (docs/SCRIPTS.md). */
const withoutSigns = (shown: string): string => shown.replaceAll('-nan', 'nan');

/**
 * Whether only numbers differ, each by one bit, in a program that raises to powers or names a function that
 * glibc does not always round correctly and Redraft does (docs/SCRIPTS.md).
 */
function isRoundedByGlibc(source: string, ours: string, theirs: string): boolean {
  if (!/\^|math\.(?:exp|log|log10|pow|sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh)\b/.test(source))
    return false;
  const number = /-?\d+(?:\.\d+)?(?:e[+-]\d+)?/g;
  if (ours.replace(number, '#') !== theirs.replace(number, '#')) return false;
  const others = theirs.match(number) ?? [];
  return (ours.match(number) ?? []).every((text, i) => areAdjacent(Number(text), Number(others[i])));
}

/** Whether two doubles are the same, or neighbours. */
function areAdjacent(one: number, other: number): boolean {
  const bits = new BigInt64Array(new Float64Array([one, other]).buffer);
  const distance = bits[0]! - bits[1]!;
  return distance >= -1n && distance <= 1n;
}

function compare(source: string, theirs: string, coroutines: boolean, name: string): void {
  const ours = runProgram(state, source, coroutines);
  if (withoutSigns(ours) === withoutSigns(theirs)) return;
  if (isRoundedByGlibc(source, ours, theirs)) {
    roundings++;
    return;
  }
  differences++;
  if (differences > differencesShown) return;
  console.log(`\n== ${name}${coroutines ? ', as generators' : ''}`);
  console.log(`${source}\n-- redis:   ${theirs.slice(0, 1500)}\n-- redraft: ${ours.slice(0, 1500)}`);
}

const summary = (): string =>
  `${done} programs, ${errors} that end with an error, ${roundings} rounded otherwise by glibc, ` +
  `${differences} differences`;

try {
  let next: Batch | undefined = batch(0);
  while (next !== undefined && differences < differencesShown) {
    const { seed: ofBatch, sources, theirs }: Batch = next;
    const shown = await theirs;
    next = done + sources.length < count ? batch(done + sources.length) : undefined;
    sources.forEach((source, at) => {
      if (!shown[at]!.startsWith('true')) errors++;
      const name = `seed ${ofBatch}, program ${at}`;
      compare(source, shown[at]!, false, name);
      // Every tenth as generators too: coroutines are compiled that way.
      if (at % 10 === 0) compare(source, shown[at]!, true, name);
    });
    done += sources.length;
    if (performance.now() - shownAt > progressEveryMs) {
      shownAt = performance.now();
      console.error(`${summary()} of ${count}`);
    }
  }
  await next?.theirs;
} finally {
  await server.stop();
}
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(`${summary()}, seed ${seed}, ${seconds} s`);
process.exitCode = differences === 0 ? 0 : 1;
