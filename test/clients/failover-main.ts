/**
 * `npm run clients:failover -- --seed S`: real clients on three real nodes through twenty events in random
 * order. Prints for each client and kind of event how long it was without an acknowledged write, and what its
 * user saw; ends with 1 when an acknowledged write is lost, a read is stale, or a client needs a restart.
 *
 * Further: --only WORD,WORD (of clients' names), --events N (the first of the plan), --kinds WORD,WORD (of
 * events' names), --together N (clients on one cluster), --follower MODE (in place of what suits a client).
 *
 * Libraries of Node's that the project does not have come from test/clients/libraries, those of other
 * languages from Debian: python3-redis, ruby-redis, php-redis, php-predis, libredis-perl, golang-go,
 * golang-gopkg-redis.v5-dev, golang-github-mna-redisc-dev, redis-tools. What is not installed is named and
 * left out.
 */
import type { TestContext } from 'node:test';
import { parseArgs } from 'node:util';
import { ProcessCluster } from '../cluster/processes.js';
import { type ClientKind, installedKinds, ownKinds, type ProgramKind } from './failover-clients.js';
import { clusterEvents, drawPlan } from './failover-events.js';
import { programKinds } from './failover-programs.js';
import { type Measured, measureFailover } from './failover-run.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    events: { type: 'string', default: '20' },
    kinds: { type: 'string', default: '' },
    together: { type: 'string', default: '4' },
    follower: { type: 'string' },
  },
});

const named = (name: string, words: string): boolean => words.split(',').some((word) => name.includes(word));
const plan = drawPlan(Number(values.seed))
  .filter(({ name }) => named(name, values.kinds))
  .slice(0, Number(values.events));
const results: Measured[] = [];
const failures: string[] = [];
const lost: string[] = [];

async function measure(follower: string, kinds: readonly (ClientKind | ProgramKind)[]): Promise<void> {
  console.log(`--follower ${follower}: ${kinds.map(({ name }) => name).join(', ')}`);
  const ends: (() => unknown)[] = [];
  const after = (end: () => unknown): unknown => ends.push(end);
  try {
    const flags = ['--follower', follower, '--durability', 'low'];
    const cluster = await ProcessCluster.start({ after } as unknown as TestContext, 3, flags);
    await measureFailover(cluster, kinds, plan, (result) => {
      results.push(result);
      const { client, event, gapMs, readGapMs, errors, isLost } = result;
      if (isLost) lost.push(`${client} would need a restart after ${event}`);
      const gaps = `${Math.round(gapMs)} ms, reads ${Math.round(readGapMs)} ms`;
      console.log(`  ${client}, ${event}: ${gaps}, ${errors.length} errors ${errors[0] ?? ''}`);
    });
  } catch (error) {
    failures.push((error as Error).message);
    console.log(`FAILED: ${(error as Error).stack}`);
  } finally {
    for (const end of ends) await end();
  }
}

const present: (ClientKind | ProgramKind)[] = [];
for (const kind of [...ownKinds, ...installedKinds, ...programKinds]) {
  if (!named(kind.name, values.only)) continue;
  try {
    if ('command' in kind) await kind.command();
    else kind.load();
    present.push(kind);
  } catch (error) {
    console.log(`left out: ${kind.name}: ${(error as Error).message.split('\n')[0]}`);
  }
}
const together = Number(values.together);
for (const follower of ['moved', 'forward'] as const) {
  const kinds = present.filter((kind) => kind.follower === follower);
  for (let i = 0; i < kinds.length; i += together)
    await measure(values.follower ?? follower, kinds.slice(i, i + together));
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const shown = clusterEvents.filter((event) => plan.includes(event));
console.log(`| client | ${shown.map(({ name }) => name).join(' | ')} |`);
console.log(`|---|${shown.map(() => '---|').join('')}`);
for (const { name } of present) {
  const cells = shown.map((event) => {
    const own = results.filter((one) => one.client === name && one.event === event.name);
    if (own.length === 0) return '';
    const errors = own.flatMap((one) => one.errors);
    if (own.some(({ isLost }) => isLost))
      return `lost ${own.filter(({ isLost }) => isLost).length} of ${own.length}`;
    const gapMs = Math.round(median(own.map((one) => one.gapMs)));
    return errors.length === 0 ? `${gapMs} ms` : `${gapMs} ms, ${errors.length} errors`;
  });
  console.log(`| ${name} | ${cells.join(' | ')} |`);
}
const texts = new Map<string, number>();
for (const { client, event, errors } of results)
  for (const text of errors) {
    const line = `${client}, ${event}: ${text.replace(/\d{4,}/g, 'N')}`;
    texts.set(line, (texts.get(line) ?? 0) + 1);
  }
for (const [text, count] of texts) console.log(`${count} x ${text}`);
for (const failure of [...failures, ...lost]) console.log(failure);
process.exit(failures.length + lost.length === 0 ? 0 : 1);
