/** Clocks that are wrong, and time-to-lives that neither start over nor come back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, nodeClock } from '../../raft/node/index.js';
import { judgeClock } from '../../src/cluster/clock-check.js';
import { TestCluster, until } from './nodes.js';

const YEARS_70_MS = 70 * 365 * 86_400_000;

const clockOff = (aheadMs: number): Clock => ({ ...nodeClock, wallMs: () => Date.now() + aheadMs });

test('which clock is judged sound', () => {
  assert.equal(judgeClock([], 1), 'sound');
  assert.equal(judgeClock([], 3), 'unknown');
  assert.equal(judgeClock([10, -20], 3), 'sound');
  assert.equal(judgeClock([30_000, 30_010], 3), 'unsound');
  assert.equal(judgeClock([-YEARS_70_MS, -YEARS_70_MS], 3), 'unsound');
  // One of the others is off: not this one.
  assert.equal(judgeClock([5, 30_000], 3), 'sound');
  // Of two, the one ahead gives way.
  assert.equal(judgeClock([-30_000], 3), 'unsound');
  assert.equal(judgeClock([30_000], 3), 'sound');
});

for (const [what, aheadMs] of [
  ['30 s behind', -30_000],
  ['70 years ahead', YEARS_70_MS],
] as const) {
  test(`a clock ${what}: its node does not lead, and no key lives or dies by it`, async (t) => {
    const cluster = await TestCluster.start(t, 2);
    const off = await cluster.add({ clock: clockOff(aheadMs) });
    const leader = await cluster.leader();
    await leader.ask('SET', 'long', '1', 'EX', '1000');
    await leader.ask('SET', 'short', '1', 'PX', '150');
    await until('it is gone', async () => (await leader.ask('GET', 'short')) === null);
    await until('its clock is found out', () => off.redraft.cluster.clock === 'unsound');
    // Asked to lead, it declines.
    assert.match(String(await leader.ask('RAFTTRANSFER', off.address)), /^(-ERR .*did not take over|OK)/);
    await until('another leads', () => cluster.nodes.some((node) => node !== off && node.isLeader));
    const next = cluster.nodes.find((node) => node.isLeader)!;
    assert.notEqual(next, off);
    // Even if it is the only one left that can lead, it leads by logged time.
    const seconds = Number(await next.ask('TTL', 'long'));
    assert.ok(seconds > 980 && seconds <= 1000, `${seconds}`);
    const other = cluster.nodes.find((node) => node !== off && node !== next)!;
    await other.stop();
    // Of two clocks, the one that is ahead may give way already.
    const write = async (): Promise<unknown> => (await cluster.leader()).ask('SET', 'only-there', '1');
    await until('it is written', async () => (await write()) === 'OK');
    await next.stop();
    await other.start();
    await until('somebody leads', () => cluster.running.some((node) => node.isLeader), 30_000);
    // A clock that is ahead does harm: it gives way. One that is behind does none.
    if (aheadMs > 0) await until('a sound clock leads', () => other.isLeader, 30_000);
    const ask = async (...args: string[]): Promise<unknown> => (await cluster.leader()).ask(...args);
    // Leadership may move meanwhile.
    await until('all is there', async () => (await ask('GET', 'only-there')) === '1');
    await until('nothing has come back', async () => (await ask('GET', 'short')) === null);
    let left = Number.NaN;
    await until('it lives', async () => {
      left = Number(await ask('TTL', 'long'));
      return !Number.isNaN(left);
    });
    assert.ok(left > 900 && left <= seconds, `${left} of ${seconds}`);
    await cluster.assertEqual();
  });
}

test('a TTL does not start over at a restart, nor does an expired key come back with a leader whose clock is behind', async (t) => {
  const cluster = await TestCluster.start(t, 1);
  const [node] = cluster.nodes;
  await node.ask('SET', 'a', '1', 'PX', '100000');
  await node.ask('SET', 'b', '1', 'PX', '50');
  await until('b is gone', async () => (await node.ask('EXISTS', 'b')) === 0);
  const before = Number(await node.ask('PEXPIRETIME', 'a'));
  await node.stop();
  await node.start({ clock: clockOff(-60_000) });
  assert.equal(await node.ask('EXISTS', 'b'), 0);
  assert.equal(await node.ask('PEXPIRETIME', 'a'), before);
  assert.ok(Number(await node.ask('PTTL', 'a')) <= 100_000);
  // Time goes on from the last stamp, and not only when the clock has caught up with it.
  await node.ask('SET', 'c', '1', 'PX', '100');
  await until('c is gone', async () => (await node.ask('EXISTS', 'c')) === 0, 5000);
});
