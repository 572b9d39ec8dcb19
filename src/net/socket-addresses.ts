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

/**
 * Whether the other side runs on this machine, by what Redis takes for a local address: no other of
 * 127.0.0.0/8.
 */
export function isLocal({ remoteAddress = '' }: Pick<Socket, 'remoteAddress'>): boolean {
  return remoteAddress === '::1' || remoteAddress === '127.0.0.1' || remoteAddress === '::ffff:127.0.0.1';
}

/** Whether a host is this machine, by an address that nobody else can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127\./.test(host);
}

/** The number that the system gave the socket; -1 where it gives none. */
export function fileDescriptor(socket: Socket): number {
  return (socket as { _handle?: { fd?: number } })._handle?.fd ?? -1;
}

function hostAndPort(host = '?', port = 0): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
