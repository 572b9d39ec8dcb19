/** A subscriber that does not read is cut off at the limits of its class, and costs others nothing. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { viewOf } from '../../engine/index.js';
import { Redraft, type RedraftOptions } from '../../src/index.js';
import { createLog } from '../../src/observability/log.js';
import type { Message } from '../../src/pubsub/message.js';
import { ClientSubscriptions, Subscriptions } from '../../src/pubsub/subscriptions.js';
import { RespClient } from '../../src/resp/client.js';
import { TestCluster, until } from '../cluster/nodes.js';

const configuration = { 'client-output-buffer-limit': 'pubsub 1048576 0 0' };

function subscribe(port: number, channel: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', reject);
    socket.once('data', () => {
      socket.off('error', reject).on('error', () => {});
      resolve(socket);
    });
    socket.write(`SUBSCRIBE ${channel}\r\n`);
  });
}

/** @param at the node that the subscribers are at; `leader` takes what is published */
async function checkSlowSubscriber(at: Redraft, leader: number, lines: readonly string[]): Promise<void> {
  const slow = await subscribe(at.port, 'news');
  const reader = await subscribe(at.port, 'news');
  const { server } = at;
  const before = server.clientMemory.bytes;
  slow.pause();
  let receivedBytes = 0;
  reader.on('data', (chunk: Buffer) => {
    receivedBytes += chunk.length;
  });
  const publisher = await RespClient.connect({ host: '127.0.0.1', port: leader });
  const payload = Buffer.alloc(32 * 1024, 'x');
  const header = '*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$32768\r\n\r\n'.length;
  let published = 0;
  await until('the slow subscriber is cut off', async () => {
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < 50; i++) calls.push(publisher.call('PUBLISH', 'news', payload));
    await Promise.all(calls);
    published += 50;
    return server.subscriptions.count('channel', 'news') === 1;
  });
  await until('the other has every message', () => receivedBytes === published * (payload.length + header));
  assert.equal(reader.destroyed, false);
  assert.match(lines.join(''), /client \S+ closed: \d+ bytes of messages and replies wait unread/);
  await until('nothing of it is left', () => server.clientMemory.bytes <= before);
  await publisher.close();
  reader.destroy();
  slow.destroy();
}

const logTo = (lines: string[]): RedraftOptions => ({
  log: createLog('warning', (line) => lines.push(line)),
});

test('in memory', async () => {
  const lines: string[] = [];
  const redraft = await Redraft.start({ configuration, ...logTo(lines) });
  try {
    await checkSlowSubscriber(redraft, redraft.port, lines);
  } finally {
    await redraft.stop();
  }
});

test('at the leader and at a follower of three nodes', async (t: TestContext) => {
  const lines: string[] = [];
  const cluster = await TestCluster.start(t, 3, { configuration, ...logTo(lines) });
  const leader = await cluster.leader();
  const follower = cluster.nodes.find((node) => node !== leader)!;
  for (const node of [leader, follower]) {
    lines.length = 0;
    await checkSlowSubscriber(node.redraft, leader.port, lines);
  }
});

test('a message to 10,000 subscribers is encoded once for each protocol', () => {
  const subscriptions = new Subscriptions();
  const got = new Set<Buffer>();
  let deliveries = 0;
  for (let i = 0; i < 10_000; i++) {
    const deliver = (message: Message): void => {
      got.add(message.bytes(i % 2 === 0 ? 2 : 3));
      deliveries++;
    };
    subscriptions.add('channel', 'news', { deliver }, new ClientSubscriptions());
  }
  assert.equal(subscriptions.publish(viewOf('news'), viewOf('hello')), 10_000);
  assert.equal(deliveries, 10_000);
  assert.equal(got.size, 2);
});

test('subscriptions count as memory of their client until they end', async () => {
  const redraft = await Redraft.start();
  try {
    const names = Array.from({ length: 1000 }, (_, i) => `channel-${i}`);
    const client = await subscribe(redraft.port, names.join(' '));
    await until('they count', () => redraft.server.clientMemory.bytes > 1000 * 100);
    client.write('RESET\r\n');
    await until('they no longer count', () => redraft.server.clientMemory.bytes < 1000);
    client.destroy();
  } finally {
    await redraft.stop();
  }
});
