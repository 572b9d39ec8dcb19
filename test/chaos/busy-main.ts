/**
 * `npm run chaos:busy -- [--tries 5] [--only WORDS,...] [--state MEGABYTES]`: a busy node is not a dead one,
 * a dead one is noticed, and one that lost all comes back over a thin link. Prints a table; exits with 1 if a
 * term was lost, a command failed, a failover or a return took too long, or a read was stale.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  BusyCluster,
  busyCases,
  losses,
  slowLinks,
  tryBusy,
  tryLoss,
  tryRejoin,
  tryStaleRead,
} from './busy.js';

const { values } = parseArgs({
  options: {
    tries: { type: 'string', default: '5' },
    only: { type: 'string' },
    /** Megabytes of state that a member comes back to. */
    state: { type: 'string', default: '300' },
  },
});
const tries = Number(values.tries);
const words = values.only?.split(',');
const isWanted = (name: string): boolean => words === undefined || words.some((word) => name.includes(word));
let failed = false;

function print(name: string, result: string, isGood: boolean): void {
  failed ||= !isGood;
  process.stdout.write(`${name.padEnd(30)} ${isGood ? 'ok  ' : 'FAIL'} ${result}\n`);
}

const seconds = (ms: number): string => (ms / 1000).toFixed(2);

async function withCluster(
  isProxied: boolean,
  flags: readonly string[],
  use: (cluster: BusyCluster) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'redraft-busy-'));
  let cluster: BusyCluster | undefined;
  try {
    cluster = await BusyCluster.start(root, isProxied, flags);
    await use(cluster);
  } finally {
    await cluster?.end();
    rmSync(root, { recursive: true, force: true });
  }
}

for (const busy of busyCases.filter(({ name }) => isWanted(name))) {
  const { name, bytesPerSecond } = busy;
  await withCluster(bytesPerSecond !== undefined, [], async (cluster) => {
    const leader = await cluster.connect(await cluster.leader());
    await busy.prepare?.(leader);
    await leader.close();
    if (bytesPerSecond !== undefined) slowLinks(cluster, bytesPerSecond);
    const outcomes = [];
    for (let i = 0; i < tries; i++) outcomes.push(await tryBusy(cluster, busy));
    const lost = outcomes.reduce((sum, { termsLost }) => sum + termsLost, 0);
    const errors = outcomes.map(({ error }) => error).filter((error) => error !== undefined);
    const took = outcomes.map(({ tookMs }) => seconds(tookMs)).join(' ');
    print(
      name,
      `terms lost ${lost} in ${tries}; took ${took} s${errors.map((e) => `; ${e}`).join('')}`,
      lost === 0 && errors.length === 0,
    );
  });
}

for (const loss of losses.filter(({ name }) => isWanted(name))) {
  await withCluster(false, [], async (cluster) => {
    const took: number[] = [];
    for (let i = 0; i < tries; i++) took.push(await tryLoss(cluster, loss));
    print(
      `replaced after ${loss.name}`,
      `in ${took.map(seconds).join(' ')} s`,
      took.every((ms) => ms <= loss.maxMs),
    );
  });
}

if (isWanted('stale reads')) {
  await withCluster(false, ['--consistency', 'medium'], async (cluster) => {
    let stale = 0;
    for (let i = 0; i < tries; i++) stale += await tryStaleRead(cluster);
    print('stale reads at medium', `${stale} of ${tries * 5}`, stale === 0);
  });
}

if (isWanted('rejoin')) {
  const rejoin = {
    stateBytes: Number(values.state) * 1e6,
    bytesPerSecond: 15e6,
    writtenPerSecond: 7e6,
    maxMs: 240_000,
  };
  await withCluster(true, [], async (cluster) => {
    const { tookMs, writes, termsLost } = await tryRejoin(cluster, rejoin);
    print(
      `rejoin with ${values.state} MB`,
      `over 15 MB/s under ${writes} writes of 1 MB: ${tookMs === undefined ? 'never' : `${seconds(tookMs)} s`}, terms lost ${termsLost}`,
      tookMs !== undefined && termsLost === 0,
    );
  });
}

process.exitCode = failed ? 1 : 0;
