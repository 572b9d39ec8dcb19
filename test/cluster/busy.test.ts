/** A busy node is not a dead one: the short form of `npm run chaos:busy`, on three real processes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  BusyCluster,
  busyCases,
  losses,
  slowLinks,
  sortStore,
  tryBusy,
  tryLoss,
  tryStaleRead,
} from '../chaos/busy.js';

async function clusterFor(t: TestContext, isProxied = false, ...flags: string[]): Promise<BusyCluster> {
  const root = mkdtempSync(join(tmpdir(), 'redraft-busy-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const cluster = await BusyCluster.start(root, isProxied, flags);
  t.after(() => cluster.end());
  return cluster;
}

test('a leader that is busy for seconds keeps its lead, one that was killed or stopped is replaced', async (t) => {
  const cluster = await clusterFor(t);
  const leader = await cluster.connect(await cluster.leader());
  const sort = sortStore(100_000);
  await sort.prepare!(leader);
  await leader.close();
  const cases = [sort, ...busyCases.filter(({ name }) => name === 'DEBUG SLEEP 2')];
  assert.equal(cases.length, 2);
  for (const busy of cases) {
    const { termsLost, error } = await tryBusy(cluster, busy);
    assert.deepEqual({ termsLost, error }, { termsLost: 0, error: undefined }, busy.name);
  }
  for (const loss of losses.filter(({ name }) => name === 'kill -9' || name === 'SIGSTOP')) {
    const tookMs = await tryLoss(cluster, loss);
    assert.ok(tookMs < 4000, `${loss.name}: ${tookMs} ms`);
  }
});

test('a value that takes longer than an election timeout to send is written, and costs no term', async (t) => {
  const cluster = await clusterFor(t, true);
  slowLinks(cluster, 5e6);
  const busy = {
    name: '10 MB over 5 MB/s',
    act: (leader: Parameters<(typeof busyCases)[0]['act']>[0]) =>
      leader.call('SET', 'big', Buffer.alloc(10e6, 'x')),
  };
  const { termsLost, tookMs, error } = await tryBusy(cluster, busy);
  assert.deepEqual({ termsLost, error }, { termsLost: 0, error: undefined });
  assert.ok(tookMs > 1500, `the link was faster than it should be: ${tookMs} ms`);
});

test('at consistency medium, a leader that stood still serves nothing stale', async (t) => {
  const cluster = await clusterFor(t, false, '--consistency', 'medium');
  assert.equal(await tryStaleRead(cluster), 0);
});
