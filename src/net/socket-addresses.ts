/** Who is at the ends of a socket, as Redis writes it. */
import type { Socket } from 'node:net';

/** host:port of the other side. */
export function remoteAddress(socket: Socket): string {
  return hostAndPort(socket.remoteAddress, socket.remotePort);
}

/** host:port at which it reached this node. */
export function localAddress(socket: Socket): string {
  return hostAndPort(socket.localAddress, socket.localPort);
}

/** Whether the other side runs on this machine. */
export function isLocal(socket: Socket): boolean {
  const address = socket.remoteAddress ?? '';
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

/** The number that the system gave the socket; -1 where it gives none. */
export function fileDescriptor(socket: Socket): number {
  return (socket as { _handle?: { fd?: number } })._handle?.fd ?? -1;
}

function hostAndPort(host = '?', port = 0): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
