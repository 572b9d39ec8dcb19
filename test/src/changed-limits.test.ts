/** A limit that is changed holds for clients that are connected already. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { until } from '../cluster/nodes.js';
import { withNode } from './commands/test-node.js';

interface Client {
  readonly socket: Socket;
  heard: string;
  isClosed: boolean;
}

async function client(port: number, reads = true): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  const made: Client = { socket, heard: '', isClosed: false };
  socket.on('error', () => {});
  socket.on('close', () => {
    made.isClosed = true;
  });
  if (reads)
    socket.on('data', (chunk: Buffer) => {
      made.heard += chunk.toString('latin1');
    });
  else socket.pause();
  socket.write('PING\r\n');
  if (reads) await until('it is served', () => made.heard !== '');
  return made;
}

test('limits that are changed hold for clients that are connected already', () =>
  withNode(async (t) => {
    const admin = await t.connect();
    const change = async (name: string, value: string): Promise<void> => {
      assert.equal(String((await admin.call('CONFIG', 'SET', name, value)) !== null), 'true');
      assert.equal(String(((await admin.call('CONFIG', 'GET', name)) as unknown[])[1]), value);
    };
    const { port } = t.redraft;
    await admin.call('SET', 'big', 'x'.repeat(30_000_000));

    const longArgument = await client(port);
    await change('proto-max-bulk-len', '1048576');
    longArgument.socket.write('*2\r\n$4\r\nECHO\r\n$1048577\r\n');
    await until('its request is refused', () => longArgument.isClosed);
    assert.match(longArgument.heard, /-ERR Protocol error: invalid bulk length/);

    const longRequest = await client(port);
    longRequest.socket.write(`*1000\r\n${`$100000\r\n${'x'.repeat(100_000)}\r\n`.repeat(20)}`);
    await change('client-query-buffer-limit', '1048576');
    longRequest.socket.write('$5\r\n');
    await until('its request is too long', () => longRequest.isClosed);

    const deaf = await client(port, false);
    deaf.socket.write(encodeRequest(['GET', 'big']));
    await until('its reply waits', () => t.redraft.server.clientMemory.bytes > 10_000_000);
    await change(
      'client-output-buffer-limit',
      'normal 1000000 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
    );
    await until('it is cut off', () => t.redraft.server.clientMemory.bytes < 10_000_000);
    deaf.socket.destroy();

    const listener = await client(port);
    listener.socket.write(encodeRequest(['SUBSCRIBE', 'c']));
    const idle = await client(port);
    await change('timeout', '1');
    await until('it is idle for too long', () => idle.isClosed);
    assert.equal(listener.isClosed, false);
    listener.socket.destroy();
  }));
