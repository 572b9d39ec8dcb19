/** Whole nodes over real sockets and files, in real time: what the simulation leaves out. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeClock } from '../../raft/node/clock.js';
import { DataDirectory } from '../../raft/node/directory/data-directory.js';
import { drawIdentity } from '../../raft/node/directory/identity.js';
import { PeerTransport } from '../../raft/node/peer/peer-transport.js';
import { RaftNode } from '../../raft/node/raft-node.js';
import { clusterId, WordList } from './cluster-harness.js';
import { PeerPort } from './peer-port.js';

class SocketNode {
  node!: RaftNode;
  machine = new WordList();
  port!: PeerPort;
  private transport: PeerTransport | undefined;
  private directory: DataDirectory | undefined;

  constructor(
    readonly id: number,
    private readonly path: string,
  ) {}

  async listen(): Promise<void> {
    this.port = await PeerPort.open(() => this.transport, this.port?.port ?? 0);
  }

  async start(founders: readonly SocketNode[]): Promise<void> {
    this.directory = await DataDirectory.open(this.path);
    const members = founders.map(({ id, port }) => ({ id, address: port.address, learner: false }));
    if (this.directory.identity === undefined) {
      await this.directory.establish(drawIdentity(clusterId, this.id, { members, removed: [] }));
    }
    const identity = await this.directory.countStart();
    this.machine = new WordList();
    this.transport = new PeerTransport({ clusterId, nodeId: this.id, credentials: { secrets: ['secret'] } });
    this.node = await RaftNode.start({
      identity,
      directory: this.directory,
      clock: nodeClock,
      transport: this.transport,
      random: Math.random,
      stateMachine: this.machine,
      durability: 'high',
      electionTimeoutMs: 200,
      heartbeatMs: 50,
      logTailBytes: 0,
      segmentBytes: 10_000,
      onFailure: (error) => assert.fail(error),
    });
  }

  async stop(): Promise<void> {
    await this.node.stop();
    await this.port.close();
    await this.directory!.close();
  }
}

async function until(isThere: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !isThere(); ) {
    assert.ok(Date.now() < end, 'it takes too long');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('three nodes over sockets and files: replicate, fail over, catch up by snapshot, restart', async (t) => {
  const root = fs.mkdtempSync(join(os.tmpdir(), 'redraft-cluster-'));
  const nodes = [1, 2, 3].map((id) => new SocketNode(id, join(root, String(id))));
  t.after(async () => {
    for (const node of nodes) if (node.node.isRunning) await node.stop();
    fs.rmSync(root, { recursive: true, force: true });
  });
  for (const node of nodes) await node.listen();
  for (const node of nodes) await node.start(nodes);
  const leader = (): SocketNode | undefined =>
    nodes.find(({ node }) => node.isRunning && node.status().role === 'leader' && node.leaseValid);
  const expected: string[] = [];
  const propose = async (count: number): Promise<void> => {
    await until(() => leader() !== undefined);
    const { node } = leader()!;
    let index = 0;
    for (let i = 0; i < count; i++) {
      const word = `${expected.length} ${'x'.repeat(500)}`;
      index = node.propose(Buffer.from(word))!.index;
      expected.push(word);
      if (i % 10 === 9) await node.whenApplied(index);
    }
    await node.whenApplied(index);
  };
  await propose(20);
  await until(() => nodes.every(({ machine }) => machine.words.length === expected.length));

  const lost = leader()!;
  await lost.stop();
  await propose(100);
  // The log is kept for a peer that answered lately: the lost one must count as gone before the snapshot.
  await until(
    () =>
      !leader()
        ?.node.status()
        .peers.some(({ id, recentActive }) => id === lost.id && recentActive),
  );
  await leader()!.node.takeSnapshot();
  await propose(10);
  await lost.listen();
  await lost.start(nodes);
  await until(() => lost.machine.words.length === expected.length);
  assert.equal(lost.machine.installs, 1);

  for (const node of nodes) await node.stop();
  for (const node of nodes) await node.listen();
  for (const node of nodes) await node.start(nodes);
  await propose(1);
  await until(() => nodes.every(({ machine }) => machine.words.length === expected.length));
  for (const { machine } of nodes) assert.deepEqual(machine.words, expected);
  for (const node of nodes) await node.stop();
});
