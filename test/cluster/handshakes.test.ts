/**
 * Connections that have proved nothing end by themselves and are counted, on a node's port and on that of one
 * which waits to join.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { askPeer, nodeClock } from '../../raft/node/index.js';
import { WaitingPort } from '../../src/cluster/waiting-port.js';
import { Redraft } from '../../src/index.js';
import { Port } from '../../src/net/port.js';
import { until } from './nodes.js';

const secret = 'the secret';
const maxClients = 4;
/** The bound is 5 s; a busy machine may take longer to notice. */
const lateMs = 9000;

const greeting = (cluster: string): string => {
  const words = ['RAFTPEER', '1', cluster, '7', '0', 'exchange', '0'.repeat(32)];
  return `*7\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
};

interface Target {
  readonly port: number;
  readonly cluster: string;
  /** Whether a peer that proves the secret gets in. */
  letsIn(): Promise<boolean>;
}

async function serving(t: TestContext): Promise<Target> {
  const redraft = await Redraft.start({ clusterSecret: secret, maxClients });
  t.after(() => redraft.stop());
  const cluster = redraft.cluster.clusterId;
  return { port: redraft.port, cluster, letsIn: () => getsIn(redraft.port, cluster) };
}

async function waiting(t: TestContext): Promise<Target> {
  const port = await Port.open('127.0.0.1', 0);
  const options = {
    nodeId: 9,
    credentials: { secrets: [secret] },
    clock: nodeClock,
    maxClients,
    refusesPeer: () => undefined,
  };
  const open = WaitingPort.open(port, options, () => {});
  t.after(async () => {
    await open.close();
    await port.close();
  });
  return { port: port.number!, cluster: '-', letsIn: () => getsIn(port.number!, undefined) };
}

async function getsIn(port: number, clusterId: string | undefined): Promise<boolean> {
  const asked = { credentials: { secrets: [secret] }, clusterId, nodeId: 8, timeoutMs: 5000 };
  await askPeer(`127.0.0.1:${port}`, asked, { kind: 'who' });
  return true;
}

interface Held {
  readonly socket: net.Socket;
  heard: string;
  closedAfterMs: number | undefined;
}

function hold(t: TestContext, port: number, text: string): Held {
  const beganMs = performance.now();
  const socket = net.connect({ host: '127.0.0.1', port });
  const held: Held = { socket, heard: '', closedAfterMs: undefined };
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    held.heard += chunk.toString('latin1');
  });
  socket.on('close', () => {
    held.closedAfterMs = performance.now() - beganMs;
  });
  t.after(() => socket.destroy());
  socket.write(text);
  return held;
}

// They wait side by side.
describe('connections that have proved nothing', { concurrency: true }, () => {
  for (const [where, start] of [
    ['a node', serving],
    ['a node that waits to join', waiting],
  ] as const) {
    test(`${where} ends what proves nothing after 5 s, and counts it until then`, async (t) => {
      const target = await start(t);
      const whole = greeting(target.cluster);
      const unproven = hold(t, target.port, whole);
      const unprovenProof = hold(t, target.port, `${whole}${'a'.repeat(30)}`);
      const half = hold(t, target.port, whole.slice(0, 40));
      const beginning = hold(t, target.port, '*7');
      const all = [unproven, unprovenProof, half, beginning];
      await until('the challenges have come', () => unproven.heard !== '' && unprovenProof.heard !== '');
      assert.match(unproven.heard, /^\+PEERCHALLENGE/);
      // There is no place for a further client; who proves the secret gets in.
      const refused = hold(t, target.port, 'PING\r\n');
      // Nor does one stay that goes on talking.
      const talking = hold(t, target.port, 'PING\r\n');
      const talk = setInterval(() => talking.socket.write('PING\r\n'), 20);
      t.after(() => clearInterval(talk));
      await until('they are turned away', () => refused.closedAfterMs !== undefined);
      await until('so is the one that talks', () => talking.closedAfterMs !== undefined);
      assert.match(refused.heard, /^-ERR max number of clients reached/);
      assert.equal(await target.letsIn(), true);
      await until('they end', () => all.every(({ closedAfterMs }) => closedAfterMs !== undefined));
      for (const { closedAfterMs } of all)
        assert.ok(closedAfterMs! > 4500 && closedAfterMs! < lateMs, `${closedAfterMs} ms`);
      const next = hold(t, target.port, 'PING\r\n');
      await until('there is room again', () => next.heard !== '');
      assert.match(next.heard, /^\+PONG|^-LOADING/);
    });
  }

  test('a node that waits to join keeps no client, and no more handshakes than it has places for', async (t) => {
    const { port, letsIn } = await waiting(t);
    const silent = Array.from({ length: maxClients }, () => hold(t, port, ''));
    await Promise.all(silent.map(({ socket }) => once(socket, 'connect')));
    const whole = greeting('-');
    const many = Array.from({ length: 60 }, () => hold(t, port, whole));
    await until(
      'the oldest give way',
      () => many.filter((one) => one.closedAfterMs !== undefined).length >= 28,
    );
    assert.ok(many.filter((one) => one.closedAfterMs === undefined).length <= 32);
    assert.equal(await letsIn(), true);
    const deaf = hold(t, port, 'x'.repeat(100_000));
    await until('it is turned away', () => deaf.closedAfterMs !== undefined);
    await until('the silent ones end', () => silent.every((one) => one.closedAfterMs !== undefined));
    const late = hold(t, port, 'PING\r\n');
    await until('a client is told to wait, and parted from', () => late.closedAfterMs !== undefined);
    assert.match(late.heard, /^-LOADING Redraft waits for the cluster/);
  });
});
