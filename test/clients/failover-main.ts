/** `npm run clients:failover`: prints for each client library how long it is without a leader, by event. */
import type { TestContext } from 'node:test';
import { ProcessCluster } from '../cluster/processes.js';
import { clientKinds } from './failover-clients.js';
import { clusterEvents, type Measured, measureFailover } from './failover-run.js';

const rounds = Number(process.argv[2] ?? 3);
const results: Measured[] = [];
const events = Array.from({ length: rounds }, () => clusterEvents).flat();
for (const follower of ['moved', 'forward'] as const) {
  const ends: (() => unknown)[] = [];
  const cluster = await ProcessCluster.start(
    { after: (end: () => unknown) => ends.push(end) } as unknown as TestContext,
    3,
    ['--follower', follower, '--durability', 'low'],
  );
  const kinds = clientKinds.filter((kind) => kind.follower === follower);
  try {
    await measureFailover(cluster, kinds, events, (result) => results.push(result));
  } finally {
    for (const end of ends) await end();
  }
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
console.log(`| client | ${clusterEvents.map(({ name }) => name).join(' | ')} |`);
console.log(`|---|${clusterEvents.map(() => '---|').join('')}`);
for (const { name } of clientKinds) {
  const cells = clusterEvents.map((event) => {
    const own = results.filter((one) => one.client === name && one.event === event.name);
    const errors = own.flatMap((one) => one.errors);
    const gapMs = Math.round(median(own.map((one) => one.gapMs)));
    return errors.length === 0 ? `${gapMs} ms` : `${gapMs} ms, ${errors.length} errors`;
  });
  console.log(`| ${name} | ${cells.join(' | ')} |`);
}
const texts = new Set(results.flatMap(({ client, errors }) => errors.map((text) => `${client}: ${text}`)));
for (const text of texts) console.log(text);
process.exit(0);
