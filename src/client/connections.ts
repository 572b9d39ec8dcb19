/** The connections of this node's clients: who is let in, and how all are sent away. */
import type { Socket } from 'node:net';
import type { ErrorReply } from '../../engine/index.js';
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';
import type { Admitted } from '../net/listener.js';
import { isLocal } from '../net/socket-addresses.js';
import { replies } from '../replies.js';
import type { ClientHost } from './client-host.js';
import { Connection } from './connection.js';

export class Connections {
  /** In the order in which they came. */
  readonly byId = new Map<number, Connection>();
  private nextId = 1;
  private onGone: (() => void) | undefined;

  constructor(private readonly host: ClientHost) {}

  /** A client wants in: whether it may, is said before it is read. */
  admit(socket: Socket): Admitted | ErrorReply {
    this.host.statistics.connectionsReceived++;
    if (this.host.access.isOpen && this.host.configuration.flag('protected-mode') && !isLocal(socket))
      return replies.protectedMode;
    if (this.byId.size >= this.host.maxClients) return replies.tooManyClients;
    const { connection, detach } = this.connect(socket, 0);
    return {
      receive: (chunk) => connection.receive(chunk),
      dismiss: () => {
        detach();
        this.byId.delete(connection.id);
        this.onGone?.();
      },
    };
  }

  /** Serves a client whose commands the node `from` forwards: it has counted and authenticated it. */
  serveForwarded(socket: Socket, from: number): void {
    socket.on('error', () => socket.destroy());
    // The client may have ended its side.
    socket.allowHalfOpen = true;
    const { connection } = this.connect(socket, from);
    socket.on('data', (chunk: Buffer) => connection.receive(chunk));
    socket.resume();
  }

  private connect(
    socket: Socket,
    forwardedBy: number,
  ): { readonly connection: Connection; readonly detach: () => void } {
    const connection = new Connection(this.nextId++, socket, this.host, forwardedBy);
    this.byId.set(connection.id, connection);
    const { keepAliveSeconds } = this.host.limits;
    if (keepAliveSeconds > 0) socket.setKeepAlive?.(true, keepAliveSeconds * 1000);
    // A client that ends its side still gets its replies.
    const ended = (): void => connection.ended();
    const closed = (): void => {
      this.byId.delete(connection.id);
      this.host.limits.forget(connection);
      this.host.audience.forget(connection);
      this.host.awaitingLeader.delete(connection);
      connection.disconnected();
      this.onGone?.();
    };
    socket.on('end', ended);
    socket.on('close', closed);
    const detach = (): void => {
      socket.off('end', ended);
      socket.off('close', closed);
    };
    return { connection, detach };
  }

  /** The node `from` is lost: nobody waits for the clients whose commands it forwarded. */
  dropForwarded(from: number): void {
    for (const { forwardedBy, socket } of this.byId.values()) if (forwardedBy === from) socket.destroy();
  }

  /** Sends what is owed and waits until all are gone. */
  async closeAll(): Promise<void> {
    for (const connection of this.byId.values()) {
      connection.flush();
      connection.socket.end();
    }
    // A client that does not read its last replies does not hold up the end.
    const impatience = setTimeout(() => {
      for (const connection of this.byId.values()) connection.socket.destroy();
    }, 500);
    while (this.byId.size > 0) {
      await new Promise<void>((resolve) => {
        this.onGone = resolve;
      });
    }
    clearTimeout(impatience);
  }
}
