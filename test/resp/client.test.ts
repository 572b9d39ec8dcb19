import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { ErrorReply } from '../../engine/protocol/reply.js';
import { ConnectionError, RespClient } from '../../src/resp/client.js';

async function serve(handler: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    handler(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

test('calls may overlap; every kind of reply comes back in order', async () => {
  const received: Buffer[] = [];
  const { server, port } = await serve((socket) => {
    socket.on('data', (chunk) => {
      received.push(chunk);
      if (Buffer.concat(received).latin1Slice() !== '*1\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n$2\r\n\xff\x00\r\n')
        return;
      for (const piece of ['+O', 'K\r', '\n:9223372036854775807\r\n']) socket.write(piece);
    });
  });
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  const replies = await Promise.all([client.call('a'), client.call('b', Buffer.from([0xff, 0]))]);
  assert.deepEqual(replies, [Buffer.from('OK'), 9223372036854775807n]);
  await client.close();
  assert.ok(client.closed);
  server.close();
});

test('nested replies, errors and nulls', async () => {
  const { server, port } = await serve((socket) => {
    socket.on('data', () =>
      socket.write('*4\r\n:1\r\n-ERR inner\r\n$-1\r\n*1\r\n$2\r\nhi\r\n-ERR outer\r\n'),
    );
  });
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  const [first, second] = await Promise.all([client.call('x'), client.call('y')]);
  assert.deepEqual(first, [1, new ErrorReply('ERR inner'), null, [Buffer.from('hi')]]);
  assert.deepEqual(second, new ErrorReply('ERR outer'));
  await client.close();
  server.close();
});

const failures: readonly [string, string | undefined, RegExp][] = [
  ['a server that closes', '', /closed the connection/],
  ['bytes that are no reply', 'HTTP/1.1 400\r\n', /no reply/],
  ['an absurd array', '*4294967296\r\n', /no reply/],
  ['silence', undefined, /no reply within 50 ms/],
];

for (const [name, bytes, message] of failures) {
  test(`${name}: waiting and later calls are rejected`, async () => {
    const { server, port } = await serve((socket) => {
      socket.once('data', () => {
        if (bytes === '') socket.end();
        else if (bytes !== undefined) socket.write(bytes);
      });
    });
    const client = await RespClient.connect({ host: '127.0.0.1', port, replyTimeoutMs: 50 });
    const results = await Promise.allSettled([client.call('a'), client.call('b')]);
    for (const result of [...results, ...(await Promise.allSettled([client.call('c')]))]) {
      assert.equal(result.status, 'rejected');
      assert.ok(result.reason instanceof ConnectionError);
      assert.match(result.reason.message, message);
      assert.ok(result.reason.message.includes(`127.0.0.1:${port}`));
    }
    await client.close();
    server.close();
  });
}

test('nobody listens: the error names the address', async () => {
  const { server, port } = await serve(() => {});
  server.close();
  await once(server, 'close');
  await assert.rejects(RespClient.connect({ host: '127.0.0.1', port }), (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.ok(error.message.includes(`127.0.0.1:${port}`));
    return true;
  });
});
