/**
 * `npm run chaos:busy -- [--tries 5] [--only WORDS,...]`: a busy node is not a dead one, and a dead one is noticed. Prints a table; exits
 * with 1 if a term was lost, a command failed, a failover took too long or a read was stale.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BusyCluster, busyCases, losses, slowLinks, tryBusy, tryLoss, tryStaleRead } from './busy.js';

const { values } = parseArgs({
  options: { tries: { type: 'string', default: '5' }, only: { type: 'string' } },
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

process.exitCode = failed ? 1 : 0;
