/**
 * A port on the loopback interface that hands connections on which RAFTPEER comes to a transport, as the
 * program does.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { peerCommand } from '../../raft/node/peer/peer-handshake.js';
import type { PeerTransport } from '../../raft/node/peer/peer-transport.js';

export class PeerPort {
  port = 0;
  private readonly sockets = new Set<net.Socket>();

  private constructor(
    private readonly server: net.Server,
    private readonly transport: () => PeerTransport | undefined,
  ) {
    server.on('connection', (socket) => this.greet(socket));
  }

  static async open(transport: () => PeerTransport | undefined, port = 0): Promise<PeerPort> {
    const server = net.createServer();
    const opened = new PeerPort(server, transport);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    opened.port = (server.address() as net.AddressInfo).port;
    return opened;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private greet(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    let text = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      text = Buffer.concat([text, chunk]);
      const command = parseCommand(text);
      if (command === undefined) return;
      socket.off('data', onData);
      assert.equal(command.words[0], peerCommand);
      const transport = this.transport();
      if (transport === undefined) socket.destroy();
      else transport.accept(socket, command.words.slice(1), text.subarray(command.end));
    };
    socket.on('data', onData);
  }
}

export function parseCommand(text: Buffer): { words: string[]; end: number } | undefined {
  const lines = text.toString('latin1').split('\r\n');
  const count = Number(lines[0]!.slice(1));
  if (lines.length <= 2 * count + 1) return undefined;
  const words: string[] = [];
  for (let i = 0; i < count; i++) words.push(lines[2 + 2 * i]!);
  return { words, end: lines.slice(0, 2 * count + 1).join('\r\n').length + 2 };
}
