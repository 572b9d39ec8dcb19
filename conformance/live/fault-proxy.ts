/**
 * A proxy that lies now and then, to prove that the comparison can fail and that what it prints shrinks well.
 * Which replies it alters depends on their bytes alone, so that a replay meets the same lie.
 */
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { ReplyClient } from '../client.js';
import { encodeReply } from '../encode-reply.js';
import type { Reply } from '../reply.js';
import { ReplyParser } from '../reply-parser.js';
import type { RunningServer } from '../servers.js';

function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  // The low bits of FNV-1a are poor: mix once more.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function lie(reply: Reply, oneIn: number): Reply {
  if (reply.type === 'integer' && fingerprint(`:${reply.text}`) % oneIn === 0) {
    return { type: 'integer', text: String(BigInt(reply.text) + 1n) };
  }
  if (reply.type === 'bulk' && reply.text.length < 500 && fingerprint(reply.text) % oneIn === 0) {
    return { type: 'bulk', text: `${reply.text}?` };
  }
  return reply;
}

/**
 * Starts a proxy before a server; about one in `oneIn` of its different string and integer replies is
 * altered.
 */
export async function startFaultProxy(server: RunningServer, oneIn: number): Promise<RunningServer> {
  const sockets = new Set<Socket>();
  const proxy: Server = createServer((client) => {
    const upstream = connectSocket({ port: server.port, host: server.host });
    const parser = new ReplyParser();
    sockets.add(client).add(upstream);
    client.on('data', (chunk: Buffer) => upstream.write(chunk));
    upstream.on('data', (chunk: Buffer) => {
      const text = parser
        .feed(chunk)
        .map((reply) => encodeReply(lie(reply, oneIn)))
        .join('');
      client.write(text, 'latin1');
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    name: `${server.name} behind a proxy that lies`,
    host: '127.0.0.1',
    port,
    connect: () => ReplyClient.connect(port),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
