/**
 * `npm run clients:failover -- --seed S`: real clients on three real nodes through twenty events in random
 * order. Prints for each client and kind of event how long it was without an acknowledged write, and what its
 * user saw; ends with 1 when an acknowledged write is lost, a read is stale, or a client needs a restart.
 *
 * Further: --only WORD,WORD (of clients' names), --events N (the first of the plan), --kinds WORD,WORD (of
 * events' names), --together N (clients on one cluster), --follower MODE (in place of what suits a client),
 * --once (each kind of event once, in the order of the table), --json FILE (what docs/CLIENTS.md is made
 * from: test/clients/failover.json).
 *
 * Libraries of Node's that the project does not have come from test/clients/libraries, those of other
 * languages from Debian: python3-redis, ruby-redis, php-redis, php-predis, libredis-perl, golang-go,
 * golang-gopkg-redis.v5-dev, golang-github-mna-redisc-dev, redis-tools. What is not installed is named and
 * left out.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import type { TestContext } from 'node:test';
import { parseArgs } from 'node:util';
import { ProcessCluster } from '../cluster/processes.js';
import { type Cell, failoverTable, type Measurements, optionsTable } from './clients-page.js';
import {
  bareKinds,
  type ClientKind,
  installedKinds,
  ownKinds,
  type ProgramKind,
} from './failover-clients.js';
import { type ClusterEvent, clusterEvents, drawPlan } from './failover-events.js';
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
    json: { type: 'string' },
    once: { type: 'boolean', default: false },
  },
});

const named = (name: string, words: string): boolean => words.split(',').some((word) => name.includes(word));
const plan = (values.once ? [...clusterEvents] : drawPlan(Number(values.seed)))
  .filter(({ name }) => named(name, values.kinds))
  .slice(0, Number(values.events));
const results: Measured[] = [];
const failures: string[] = [];
const lost: string[] = [];
const loads = [loadavg()[0]];

async function measure(
  follower: string,
  kinds: readonly (ClientKind | ProgramKind)[],
  events: readonly ClusterEvent[],
): Promise<void> {
  console.log(`--follower ${follower}: ${kinds.map(({ name }) => name).join(', ')}`);
  const ends: (() => unknown)[] = [];
  const after = (end: () => unknown): unknown => ends.push(end);
  try {
    const flags = ['--follower', follower, '--durability', 'low'];
    const cluster = await ProcessCluster.start({ after } as unknown as TestContext, 3, flags);
    await measureFailover(cluster, kinds, events, (result) => {
      results.push(result);
      const { client, event, gapMs, readGapMs, errors, isLost } = result;
      if (isLost && !kinds.some((kind) => kind.name === client && 'isBare' in kind))
        lost.push(`${client} would need a restart after ${event}`);
      const gaps = `${Math.round(gapMs)} ms, reads ${Math.round(readGapMs)} ms`;
      console.log(`  ${client}, ${event}: ${gaps}, ${errors.length} errors ${errors[0] ?? ''}`);
    });
  } catch (error) {
    failures.push((error as Error).message);
    console.log(`FAILED: ${(error as Error).stack}`);
  } finally {
    loads.push(loadavg()[0]);
    for (const end of ends) await end();
  }
}

const present: (ClientKind | ProgramKind)[] = [];
for (const kind of [...ownKinds, ...installedKinds, ...programKinds, ...bareKinds]) {
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
const isBare = (kind: ClientKind | ProgramKind): boolean => 'isBare' in kind;
for (const follower of ['moved', 'forward'] as const)
  for (const bare of [false, true]) {
    const kinds = present.filter((kind) => kind.follower === follower && isBare(kind) === bare);
    // What options are for is that no answer comes any more.
    const events = plan.filter(({ isGraceful }) => !bare || !isGraceful);
    if (events.length === 0) continue;
    for (let i = 0; i < kinds.length; i += together)
      await measure(values.follower ?? follower, kinds.slice(i, i + together), events);
  }

const cells: Cell[] = [];
for (const { name: client } of present)
  for (const event of new Set(plan.map(({ name }) => name))) {
    const own = results.filter((one) => one.client === client && one.event === event);
    if (own.length === 0) continue;
    const errors: Record<string, number> = Object.create(null);
    for (const text of own.flatMap((one) => one.errors)) {
      const short = text.replace(/\d{4,}/g, 'N').slice(0, 200);
      errors[short] = (errors[short] ?? 0) + 1;
    }
    cells.push({
      client,
      event,
      gapsMs: own.map(({ gapMs }) => Math.round(gapMs)),
      readGapsMs: own.map(({ readGapMs }) => Math.round(readGapMs)),
      errors,
      lost: own.filter(({ isLost }) => isLost).length,
    });
  }
for (const { client, event, errors } of cells)
  for (const [text, count] of Object.entries(errors)) console.log(`${count} x ${client}, ${event}: ${text}`);
console.log(failoverTable({ cells }));
console.log(optionsTable({ cells }));
for (const failure of [...failures, ...lost]) console.log(failure);
if (values.json !== undefined && failures.length === 0) {
  const measurements: Measurements = {
    node: process.version.slice(1),
    cores: availableParallelism(),
    loads: [Math.min(...loads), Math.max(...loads)],
    seed: Number(values.seed),
    cells,
  };
  writeFileSync(values.json, `${JSON.stringify(measurements, undefined, 1)}\n`);
}
process.exit(failures.length + lost.length === 0 ? 0 : 1);
