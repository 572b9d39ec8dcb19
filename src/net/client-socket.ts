/**
 * Sockets that read into one buffer of the process instead of a fresh 64 KiB for each chunk: measured at a
 * microsecond less a read, of the ten that a request without pipelining costs a bare loop.
 *
 * Node offers this (`onread`) to whoever makes a socket, not for those that a server accepts; hence the
 * second socket over the same handle.
 */
import { Socket } from 'node:net';

const READ_BYTES = 64 * 1024;

/** Whether a socket speaks TLS. (Asked so, TLS need not be loaded.) */
export const isOverTls = (socket: Socket): boolean => 'encrypted' in socket;

/** Sockets whose listeners keep what they are given: see {@link giveOwnChunks}. */
const keeping = new WeakSet<Socket>();

/** What is read is handed on before anything else is read, whatever the socket. */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * A socket over the connection of `accepted`, which has not been read from (`pauseOnConnect`). Its `data`
 * events lend their chunk: the bytes change as soon as the listener returns. `accepted` stays the server's
 * record of the connection, and closes with it.
 */
export function reuseReadBuffer(accepted: Socket): Socket {
  // What it reads is decrypted into buffers of its own.
  if (isOverTls(accepted)) return accepted;
  const bare = accepted as unknown as { _handle: { useUserBuffer?: unknown } | null };
  const handle = bare._handle;
  // It may be closed already; and what is no Node (Bun) has no handle that a second socket could read from.
  if (handle === null || typeof handle?.useUserBuffer !== 'function') return accepted.resume();
  bare._handle = null;
  const socket: Socket = new Socket({
    handle,
    // Who ends its side of the connection still gets its replies.
    allowHalfOpen: true,
    onread: {
      buffer: shared,
      callback: (length: number): boolean => {
        const chunk = shared.subarray(0, length);
        socket.emit('data', keeping.has(socket) ? Buffer.from(chunk) : chunk);
        return true;
      },
    },
  } as ConstructorParameters<typeof Socket>[0]);
  socket.once('close', () => accepted.destroy());
  return socket;
}

/** From now on each chunk of a socket is its listeners' own: for a peer's, whose frames are kept. */
export function giveOwnChunks(socket: Socket): void {
  keeping.add(socket);
}
