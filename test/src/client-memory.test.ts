/**
 * What one client can make the node keep is bounded, seen, and given back: replies that it does not read,
 * transactions that it does not end, requests that it does not finish.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { until } from '../cluster/nodes.js';
import { type TestNode, withNode } from './commands/test-node.js';

const MEGABYTE = 1024 * 1024;

/** A connection that reads nothing until it is told to. */
async function silentClient(t: TestNode): Promise<Socket> {
  const socket = connect(t.redraft.port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.pause();
  socket.on('error', () => {});
  return socket;
}

function field(info: unknown, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(String(info))![1]);
}

/** Reads `bytes` bytes, or fails when the connection ends before. */
function readAll(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = 0;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received >= bytes) resolve();
    });
    socket.on('close', () => reject(new Error(`closed after ${received} of ${bytes} bytes`)));
    socket.resume();
  });
}

test('replies that a client does not read stop its requests before they fill the memory', () =>
  withNode(async (t) => {
    const { redraft } = t;
    const admin = await t.connect();
    await admin.call('SET', 'big', 'x'.repeat(10 * MEGABYTE));
    await admin.call('RPUSH', 'list', ...new Array(100).fill('y'.repeat(100_000)));
    const element = 'z'.repeat(10 * MEGABYTE);
    await admin.call('RPUSH', 'long', element);
    await admin.call('HSET', 'hash', 'field', element);
    await admin.call('ZADD', 'zset', '1', element);
    await admin.call('XADD', 'stream', '1-1', 'field', element);
    await admin.call('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 100000000 0 0');
    const commands: readonly [words: string[], replyBytes: number][] = [
      [['GET', 'big'], 20 * 10_000_000],
      [['LRANGE', 'list', '0', '-1'], 20 * 10_000_000],
      [['LINDEX', 'long', '0'], 4 * 10_000_000],
      [['GETRANGE', 'big', '0', '-2'], 4 * 10_000_000],
      [['MGET', 'big', 'big'], 4 * 10_000_000],
      [['HGET', 'hash', 'field'], 4 * 10_000_000],
      [['ZRANGE', 'zset', '0', '-1'], 4 * 10_000_000],
      [['XRANGE', 'stream', '-', '+'], 4 * 10_000_000],
    ];
    for (const [command, replyBytes] of commands) {
      const before = process.memoryUsage().rss;
      const socket = await silentClient(t);
      const request = encodeRequest(command);
      socket.write(Buffer.concat(new Array(200).fill(request)));
      await until('a reply waits', () => redraft.server.clientMemory.bytes > MEGABYTE);
      await admin.call('PING');
      assert.ok(redraft.server.clientMemory.bytes < 117 * MEGABYTE);
      assert.ok(process.memoryUsage().rss - before < 200 * MEGABYTE);
      await readAll(socket, replyBytes);
      socket.destroy();
      await until('its memory is given back', () => redraft.server.clientMemory.bytes === 0);
    }
  }));

test('a reply larger than the hard limit ends its client, and none without a limit', () =>
  withNode(async (t) => {
    const admin = await t.connect();
    await admin.call('SET', 'big', 'x'.repeat(100 * MEGABYTE));
    const many = new Array(12).fill('big');
    const reader = await silentClient(t);
    reader.write(encodeRequest(['MGET', ...many]));
    await readAll(reader, 12 * 100 * MEGABYTE);
    reader.destroy();
    await admin.call('CONFIG', 'SET', 'client-output-buffer-limit', 'normal 500mb 0 0');
    const limited = await silentClient(t);
    limited.write(encodeRequest(['MGET', ...many]));
    await assert.rejects(readAll(limited, 12 * 100 * MEGABYTE), /closed after/);
  }));

test('a value that a reply still holds can be changed: the reply keeps what it was', () =>
  withNode(async (t) => {
    const admin = await t.connect();
    const size = 8 * MEGABYTE;
    await admin.call('SET', 'v', 'a'.repeat(size));
    const socket = await silentClient(t);
    socket.write(encodeRequest(['GET', 'v']));
    await until('the reply waits', () => t.redraft.server.clientMemory.bytes > size / 2);
    await admin.call('SETRANGE', 'v', '5', 'zzz');
    await admin.call('SETRANGE', 'v', `${size - 3}`, 'zzz');
    await admin.call('APPEND', 'v', 'tail');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await readAll(socket, size + `$${size}\r\n\r\n`.length);
    const reply = Buffer.concat(chunks).subarray(`$${size}\r\n`.length, -2);
    assert.ok(reply.equals(Buffer.alloc(size, 'a')));
    const now = (await admin.call('GET', 'v')) as Buffer | string;
    const text = now.toString('latin1');
    assert.equal(text.slice(0, 10), 'aaaaazzzaa');
    assert.equal(text.slice(-8), 'azzztail');
    await admin.call('SET', 'v', 'b'.repeat(text.length));
    assert.equal(String(await admin.call('GETRANGE', 'v', '0', '2')), 'bbb');
    socket.destroy();
  }));

test('used_memory has what clients make the node keep, its peak is noted unasked, and only what was sent counts as sent', () =>
  withNode(async (t) => {
    const admin = await t.connect();
    await admin.call('SET', 'big', 'x'.repeat(20 * MEGABYTE));
    const before = await admin.call('INFO');
    assert.ok(field(before, 'used_memory') >= field(before, 'used_memory_startup'));
    const socket = await silentClient(t);
    socket.write(encodeRequest(['GET', 'big']));
    await until('the reply waits', () => t.redraft.server.clientMemory.bytes > 10 * MEGABYTE);
    const during = await admin.call('INFO');
    assert.ok(field(during, 'used_memory') - field(before, 'used_memory') >= 20 * MEGABYTE);
    assert.ok(field(during, 'total_net_output_bytes') - field(before, 'total_net_output_bytes') < MEGABYTE);
    await until('the peak is sampled', () => t.redraft.server.peakMemory >= field(during, 'used_memory'));
    socket.destroy();
    await until('the client is gone', () => t.redraft.server.clientMemory.bytes === 0);
    const after = await admin.call('INFO');
    assert.ok(field(after, 'used_memory') - field(before, 'used_memory') < MEGABYTE);
    assert.ok(field(after, 'used_memory_peak') >= field(during, 'used_memory'));
    assert.ok(field(after, 'total_net_output_bytes') - field(before, 'total_net_output_bytes') < MEGABYTE);
  }));

test('what transactions queue counts as memory: the queue is refused, and EXEC with it', () =>
  withNode(
    async (t) => {
      const value = 'x'.repeat(4 * MEGABYTE);
      const clients = await Promise.all([t.connect(), t.connect(), t.connect()]);
      for (const client of clients) await client.call('MULTI');
      const refused = new Set<unknown>();
      for (let i = 0; i < 10; i++)
        for (const client of clients) {
          const reply = await client.call('SET', 'k', value);
          if (!/QUEUED/.test(JSON.stringify(reply))) refused.add(client);
        }
      assert.equal(refused.size, 3);
      assert.ok(t.redraft.server.clientMemory.bytes < 70 * MEGABYTE);
      for (const client of clients) assert.match(JSON.stringify(await client.call('EXEC')), /EXECABORT/);
      assert.ok(t.redraft.server.clientMemory.bytes < MEGABYTE);
    },
    { configuration: { maxmemory: '64mb' } },
  ));

test('transactions that end in one turn are entries of their own when together they are large', () =>
  withNode(async (t) => {
    const value = 'x'.repeat(12 * MEGABYTE);
    const clients = await Promise.all([t.connect(), t.connect(), t.connect()]);
    for (const [i, client] of clients.entries()) {
      await client.call('MULTI');
      await client.call('SET', `k${i}`, value);
    }
    const sizes: number[] = [];
    const { consensus } = t.redraft.server;
    const propose = consensus.propose.bind(consensus);
    consensus.propose = (payload) => {
      sizes.push(payload.length);
      return propose(payload);
    };
    await Promise.all(clients.map((client) => client.call('EXEC')));
    const [asker] = clients;
    for (let i = 0; i < 3; i++) assert.equal(await asker!.call('STRLEN', `k${i}`), value.length);
    assert.equal(sizes.length, 3);
    for (const size of sizes) assert.ok(size < 16 * MEGABYTE);
  }));

test('channels that clients are subscribed to count as memory, and are given back', () =>
  withNode(async (t) => {
    const client = await t.connect();
    const channel = (i: number): string => `${i}:`.padEnd(1000, 'c');
    for (const [name, end] of [
      ['SUBSCRIBE', 'UNSUBSCRIBE'],
      ['PSUBSCRIBE', 'PUNSUBSCRIBE'],
    ] as const) {
      const before = t.redraft.server.clientMemory.bytes;
      await Promise.all(Array.from({ length: 500 }, (_, i) => client.call(name, channel(i))));
      assert.ok(t.redraft.server.clientMemory.bytes - before >= 500_000, name);
      await Promise.all(Array.from({ length: 500 }, (_, i) => client.call(end, channel(i))));
      await until('they are forgotten', () => t.redraft.server.clientMemory.bytes === before);
    }
  }));

test('WATCH of many keys takes time in proportion, and counts as memory', () =>
  withNode(async (t) => {
    const client = await t.connect();
    const time = async (count: number): Promise<number> => {
      const began = performance.now();
      await Promise.all(Array.from({ length: count }, (_, i) => client.call('WATCH', `${count}:${i}`)));
      return performance.now() - began;
    };
    await time(2000);
    const few = await time(4000);
    const many = await time(40_000);
    assert.ok(many < few * 40, `4,000: ${few} ms, 40,000: ${many} ms`);
    assert.ok(t.redraft.server.clientMemory.bytes > 46_000 * 100);
    await client.call('UNWATCH');
    await until('they are forgotten', () => t.redraft.server.clientMemory.bytes === 0);
  }));
