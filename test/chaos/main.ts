/**
 * `npm run chaos -- --minutes N --seed S`: real clusters, real clients, real faults, round after round.
 *
 * Further: --nodes 3|5 (default: both by turns), --rounds N, --from N (the first cluster to play), --storm
 * SECONDS, --rate FACTOR, --only KIND,KIND (of faults), --large BYTES (of large values a second), --ports
 * FIRST, --keep (files of clean runs, too), --namespaces, --verbose.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type ChaosOptions, runChaos } from './chaos.js';
import { Cleanup } from './cleanup.js';
import { type FaultKind, faultWeights } from './faults.js';
import { Journal } from './journal.js';
import { NamespaceNetwork } from './namespaces.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    nodes: { type: 'string' },
    rounds: { type: 'string' },
    from: { type: 'string', default: '1' },
    storm: { type: 'string', default: '25' },
    rate: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    large: { type: 'string' },
    ports: { type: 'string' },
    keep: { type: 'boolean', default: false },
    namespaces: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

function refuse(text: string): never {
  console.error(`chaos: ${text}`);
  process.exit(2);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  return Number.isFinite(value) && value > 0
    ? value
    : refuse(`--${name} ${text}: a number above 0 is wanted`);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse(`--${name} ${text}: a whole number is wanted`);
}

const only = values.only.split(',').filter((kind) => kind !== '');
for (const kind of only)
  if (!(kind in faultWeights))
    refuse(`--only ${kind}: the kinds are ${Object.keys(faultWeights).join(', ')}`);
if (values.nodes !== undefined && !/^[35]$/.test(values.nodes)) refuse(`--nodes ${values.nodes}: 3 or 5`);

const obstacle = values.namespaces ? NamespaceNetwork.obstacle() : undefined;
if (obstacle !== undefined) refuse(obstacle);

const root = mkdtempSync(join(tmpdir(), 'redraft-chaos-'));
const cleanup = new Cleanup();
let mustKeep = false;
process.on('uncaughtExceptionMonitor', () => {
  mustKeep = true;
});
cleanup.add(() => {
  if (!mustKeep) rmSync(root, { recursive: true, force: true });
});
const journal = new Journal(values.verbose);
const options: ChaosOptions = {
  seed: whole('seed', values.seed),
  sizes: values.nodes === undefined ? [3, 5] : [Number(values.nodes)],
  roundsMax: values.rounds === undefined ? Number.POSITIVE_INFINITY : whole('rounds', values.rounds),
  from: whole('from', values.from),
  endAt: performance.now() + positive('minutes', values.minutes) * 60_000,
  stormMs: positive('storm', values.storm) * 1000,
  rate: positive('rate', values.rate),
  only: only as FaultKind[],
  largeBytesPerSecond: values.large === undefined ? undefined : whole('large', values.large),
  firstPort: values.ports === undefined ? undefined : whole('ports', values.ports),
  useNamespaces: values.namespaces,
  root,
  discard: (directory) => {
    if (!values.keep) rmSync(directory, { recursive: true, force: true });
  },
  say: (line) => console.log(line),
};
const isClean = await runChaos(options, journal, cleanup);
mustKeep = values.keep || !isClean;
if (mustKeep) console.log(`logs and data: ${root}`);
process.exit(isClean ? 0 : 1);
