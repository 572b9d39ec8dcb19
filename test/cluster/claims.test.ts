/**
 * What one peer claims, secret or not, stops no node that has a log and a quorum, and replaces nothing of
 * what it stores.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { SnapshotMessage } from '../../raft/index.js';
import { encodeMessages } from '../../raft/node/peer/peer-codec.js';
import { acceptPeer, dialPeer } from '../../raft/node/peer/peer-handshake.js';
import { frameKind } from '../../raft/node/peer/peer-socket.js';
import type { SnapshotStore } from '../../raft/node/snapshot/store.js';
import { createLog } from '../../src/index.js';
import { readPeerGreeting } from '../../src/net/peer-greeting.js';
import { TestCluster, type TestNode, until } from './nodes.js';

const secret = 'the secret';

interface Liar {
  readonly address: string;
  /** How often it has refused. */
  refusals: number;
  close(): Promise<void>;
}

/**
 * Proves the secret, and tells everybody that they were removed from the cluster, or look for another one.
 */
async function liar(
  t: TestContext,
  claim: 'removed' | 'cluster',
  {
    clusterId,
    nodeId,
    port = 0,
  }: { readonly clusterId: string; readonly nodeId: number; readonly port?: number },
): Promise<Liar> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (chunk: Buffer) => {
      const greeting = readPeerGreeting(chunk);
      if (typeof greeting !== 'object') return;
      acceptPeer({
        socket,
        args: greeting.args,
        head: greeting.head,
        credentials: { secrets: [secret] },
        closed: undefined,
        clusterId: claim === 'cluster' ? 'ab'.repeat(16) : clusterId,
        nodeId,
        isRemoved: () => {
          liar.refusals++;
          return true;
        },
        onMismatch: () => {
          liar.refusals++;
        },
        onAccepted: () => assert.fail('nobody is let in'),
        onClient: () => assert.fail('nobody is let in'),
      });
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  t.after(close);
  const { port: bound } = server.address() as net.AddressInfo;
  const liar: Liar = { address: `127.0.0.1:${bound}`, refusals: 0, close };
  return liar;
}

for (const claim of ['removed', 'cluster'] as const) {
  test(`"${claim}", says one peer that knows the secret: a member goes on, at a start and later`, async (t) => {
    const cluster = await TestCluster.start(t, 3, { clusterSecret: secret });
    const leader = await cluster.leader();
    const [impersonated, told] = await cluster.followers();
    const { clusterId } = leader.redraft.cluster;
    assert.equal(await leader.ask('SET', 'a', '1'), 'OK');

    const stranger = await liar(t, claim, { clusterId, nodeId: 77 });
    await told.stop();
    await told.start({ join: stranger.address });
    assert.ok(stranger.refusals > 0);
    await cluster.assertEqual();

    // In the place of a member, and with no leader that says otherwise.
    const { id } = impersonated.redraft.node;
    await impersonated.stop();
    const member = await liar(t, claim, { clusterId, nodeId: id, port: impersonated.options.port });
    await leader.stop();
    await until('the liar is asked again and again', () => member.refusals >= 3);
    assert.equal(told.failure, undefined);
    await member.close();
    await leader.start();
    await impersonated.start();
    await cluster.assertEqual();
    assert.equal(await (await cluster.leader()).ask('GET', 'a'), '1');
    assert.equal(told.failure, undefined);
  });
}

/** What must not change by what a peer sends: identity and snapshots, byte by byte. */
function stored(directory: string): Map<string, string> {
  const files = readdirSync(directory, { recursive: true }) as string[];
  const kept = files.filter((name) => !name.endsWith('.wal') && statSync(join(directory, name)).isFile());
  return new Map(kept.map((name) => [name, readFileSync(join(directory, name), 'latin1')]));
}

/** The data of a node's newest snapshot. */
async function latest({ redraft }: TestNode): Promise<Buffer> {
  const { snapshots } = redraft.node as unknown as { readonly snapshots: SnapshotStore };
  const reader = (await snapshots.openLatest())!;
  const chunks: Uint8Array[] = [];
  for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) chunks.push(chunk);
  await reader.close();
  return Buffer.concat(chunks);
}

/** Streams a snapshot as the member `from` would in a term to come; whether it was taken. */
async function stream(
  target: TestNode,
  from: number,
  snapshot: SnapshotMessage['snapshot'],
  chunks: readonly Uint8Array[],
  totalBytes: number,
): Promise<boolean> {
  const { id } = target.redraft.node;
  let answered: ((isTaken: boolean) => void) | undefined;
  const result = new Promise<boolean>((resolve) => {
    answered = resolve;
  });
  const { peer } = await dialPeer({
    address: target.address,
    credentials: { secrets: [secret] },
    introduction: { clusterId: target.redraft.cluster.clusterId, from, to: id, purpose: 'snapshot' },
    onFrame: (kind, body) => answered!(kind === frameKind.snapshotResult && body[0] === 1),
    onClose: () => answered!(false),
  });
  const term = target.redraft.node.status().term + 1;
  const message: SnapshotMessage = { type: 'snapshot', from, to: id, term, round: 0, sentTick: 0, snapshot };
  const total = Buffer.alloc(8);
  total.writeDoubleLE(totalBytes);
  peer.sendFrame(frameKind.snapshotBegin, [total, ...encodeMessages([message])]);
  for (const chunk of chunks) peer.sendFrame(frameKind.snapshotChunk, [chunk]);
  peer.sendFrame(frameKind.snapshotEnd, []);
  try {
    return await result;
  } finally {
    peer.destroy('seen');
  }
}

test('a forged snapshot of a member replaces nothing in the directory', async (t) => {
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line));
  const cluster = await TestCluster.start(t, 3, { clusterSecret: secret, log });
  const leader = await cluster.leader();
  for (let i = 0; i < 50; i++) await leader.ask('SET', `key${i}`, 'x'.repeat(1000));
  const [impersonated, target] = await cluster.followers();
  for (const node of cluster.nodes) await node.ask('RAFTSNAPSHOT');
  const from = impersonated.redraft.node.id;
  await impersonated.stop();
  const directory = target.options.dir!;
  const before = stored(directory);
  const real = await latest(target);
  const flipped = Buffer.from(real);
  flipped[real.length >> 1]! ^= 4;
  const forgeries: readonly (readonly [
    what: string,
    chunks: readonly Uint8Array[],
    said: RegExp,
    announced?: number,
  ])[] = [
    ['16 bytes', [Buffer.alloc(16, 7)], /record 0/],
    ['nothing', [], /ends without a footer/],
    ['a good one, cut off', [real.subarray(0, real.length - 100)], /ends within record/],
    ['a good one with a bit flipped', [flipped], /digest [0-9a-f]+, the footer says|record \d+/],
    ['a good one of another index', [real], /state of index \d+ in a snapshot of index/],
    ['more than was announced', [real, real], /behind the footer/, real.length],
    ['the promise of 2^60 bytes', [real.subarray(0, 16)], /16 of \d+ bytes arrived/, 2 ** 60],
    ['less than no bytes', [real.subarray(0, 16)], /16 of -1 bytes arrived/, -1],
  ];
  for (const [what, chunks, said, announced] of forgeries) {
    lines.length = 0;
    const { membership, lastIndex, term } = target.redraft.node.status();
    const snapshot = { index: lastIndex + 10, term, membership };
    const total = announced ?? chunks.reduce((sum, { length }) => sum + length, 0);
    assert.equal(await stream(target, from, snapshot, chunks, total), false, what);
    assert.match(lines.join(''), said, what);
    assert.equal(target.failure, undefined, what);
    assert.deepEqual(stored(directory), before, what);
  }
  await impersonated.start();
  await cluster.assertEqual();
  await target.stop();
  await target.start();
  await cluster.assertEqual();
  assert.equal(await (await cluster.leader()).ask('STRLEN', 'key49'), 1000);
});
