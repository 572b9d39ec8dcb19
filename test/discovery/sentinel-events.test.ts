/**
 * What a Sentinel tells its subscribers, in the words of redis-sentinel 7.0.15: on three nodes whose members
 * end and come back, and of what a node sees from one look to the next.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import type { View } from '../../engine/index.js';
import { Announcements, type AnnouncementsHost } from '../../src/discovery/announcements.js';
import type { SeenNode } from '../../src/discovery/topology.js';
import { TestCluster, type TestNode, until } from '../cluster/nodes.js';

test('three nodes: subscribers hear of followers and leaders that end, come back and join', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  const leader = await cluster.leader();
  const [witness, other] = await cluster.followers();
  const heard: string[] = [];
  const subscriber = new Redis({ port: witness.port });
  t.after(() => subscriber.disconnect());
  subscriber.on('pmessage', (_pattern, channel, message) => heard.push(`${channel} ${message}`));
  await subscriber.psubscribe('*');
  const tells = (text: string): Promise<void> => until(`it tells ${text}`, () => heard.includes(text));
  const master = ({ port }: TestNode): string => `master mymaster 127.0.0.1 ${port}`;
  const replica = ({ port }: TestNode, of: TestNode): string =>
    `slave 127.0.0.1:${port} 127.0.0.1 ${port} @ mymaster 127.0.0.1 ${of.port}`;

  await other.stop();
  await tells(`+sdown ${replica(other, leader)}`);
  await other.start();
  await tells(`-sdown ${replica(other, leader)}`);
  await tells(`+reboot ${replica(other, leader)}`);

  const { port } = leader;
  await leader.stop();
  await tells(`+sdown ${master({ port } as TestNode)}`);
  await tells(`+odown ${master({ port } as TestNode)} #quorum 2/2`);
  const next = await cluster.leader();
  await tells(`+switch-master mymaster 127.0.0.1 ${port} 127.0.0.1 ${next.port}`);
  await tells(`switch-master mymaster 127.0.0.1 ${port} 127.0.0.1 ${next.port}`);
  await leader.start();
  await tells(`+slave ${replica(leader, next)}`);
  await tells(`+slave ${replica(await cluster.add(), next)}`);
});

const node = (id: number, state: Partial<SeenNode> = {}): SeenNode => ({
  id,
  hexId: `${id}`.repeat(40),
  host: '10.0.0.1',
  port: 7000 + id,
  plainPort: 7000 + id,
  tlsPort: 0,
  isSelf: false,
  isMaster: false,
  isAlive: true,
  isVoter: true,
  offset: 0,
  ...state,
});

test('a node tells what has changed since it last looked, once', () => {
  let nodes: readonly SeenNode[] = [];
  let nowMs = 0;
  const told: string[] = [];
  const announcements = new Announcements({
    topology: {
      nodes: () => nodes,
      quorum: 2,
      get leaderId() {
        return nodes.find(({ isMaster }) => isMaster)?.id;
      },
    },
    configuration: { text: () => 'mymaster' },
    subscriptions: {
      publish: (channel: View, message: View) => told.push(`${channel.latin1()} ${message.latin1()}`),
    },
    monotonicMs: () => nowMs,
  } as unknown as AnnouncementsHost);
  const sees = (...seen: SeenNode[]): string[] => {
    nodes = seen;
    nowMs += 1000;
    announcements.look();
    announcements.look();
    return told.splice(0);
  };
  const self = node(2, { isSelf: true });
  const leads = node(1, { isMaster: true });
  const about = (id: number): string => `slave 10.0.0.1:700${id} 10.0.0.1 700${id} @ mymaster 10.0.0.1 7001`;
  // Before a leader was seen there is nobody to tell of.
  assert.deepEqual(sees(node(1), self), []);
  assert.deepEqual(sees(leads, self), []);
  assert.deepEqual(sees(leads, self, node(3)), [`+slave ${about(3)}`]);
  assert.deepEqual(sees(leads, self, node(3)), []);
  assert.deepEqual(sees(leads, self, node(3, { isAlive: false })), [`+sdown ${about(3)}`]);
  assert.deepEqual(sees(leads, self, node(3)), [`-sdown ${about(3)}`, `+reboot ${about(3)}`]);
  // Nobody leads for a while, then the same node again.
  assert.deepEqual(sees(node(1), self, node(3)), [
    '+sdown master mymaster 10.0.0.1 7001',
    '+odown master mymaster 10.0.0.1 7001 #quorum 2/2',
  ]);
  assert.deepEqual(sees(node(1), self, node(3)), []);
  assert.deepEqual(sees(leads, self, node(3)), [
    '-sdown master mymaster 10.0.0.1 7001',
    '-odown master mymaster 10.0.0.1 7001',
  ]);
  // The leader has moved to another address, then leadership to another node.
  assert.deepEqual(sees(node(1, { isMaster: true, port: 7009 }), self, node(3)), [
    '+switch-master mymaster 10.0.0.1 7001 10.0.0.1 7009',
    'switch-master mymaster 10.0.0.1 7001 10.0.0.1 7009',
  ]);
  assert.deepEqual(sees(node(1), node(2, { isSelf: true, isMaster: true }), node(3)), [
    '+switch-master mymaster 10.0.0.1 7009 10.0.0.1 7002',
    'switch-master mymaster 10.0.0.1 7009 10.0.0.1 7002',
    '+slave slave 10.0.0.1:7009 10.0.0.1 7009 @ mymaster 10.0.0.1 7002',
  ]);
});
