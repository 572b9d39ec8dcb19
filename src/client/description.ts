/**
 * A client as CLIENT LIST and CLIENT INFO describe it: Redis 7.0's fields in its order
 * (https://redis.io/docs/latest/commands/client-list/).
 */

import { fileDescriptor, localAddress } from '../net/socket-addresses.js';
import type { Client } from './client.js';

/** The kinds of client that CLIENT LIST and CLIENT KILL tell apart. */
export type ClientType = 'normal' | 'master' | 'replica' | 'pubsub';

/** The type that a word names, in any case, or undefined. */
export function clientType(word: string): ClientType | undefined {
  switch (word.toLowerCase()) {
    case 'normal':
      return 'normal';
    case 'master':
      return 'master';
    case 'slave':
    case 'replica':
      return 'replica';
    case 'pubsub':
      return 'pubsub';
    default:
      return undefined;
  }
}

/** Peers speak a protocol of their own and are no clients; replicas are those of Redis. */
export function typeOf(connection: Client): ClientType {
  if (connection.isReplica) return 'replica';
  return connection.isSubscriber ? 'pubsub' : 'normal';
}

/**
 * One line without its end.
 *
 * @param command the last one, in full
 */
export function describeClient(connection: Client, nowMs: number, command = connection.lastCommand): string {
  const { socket, writer, executing } = connection;
  const transaction = executing?.transaction ?? connection.transaction;
  const unsent = socket.writableLength;
  const watched = connection.watched.bytes;
  const query = connection.queryBufferBytes;
  const queued = transaction?.queuedBytes ?? 0;
  const subscriptions = connection.subscriptions?.bytes ?? 0;
  const fields: (readonly [name: string, value: string | number])[] = [
    ['id', connection.id],
    ['addr', connection.address],
    ['laddr', localAddress(socket)],
    ['fd', fileDescriptor(socket)],
    ['name', connection.name],
    ['age', seconds(nowMs - connection.createdMs)],
    ['idle', seconds(nowMs - connection.lastActiveMs)],
    ['flags', flags(connection)],
    ['db', executing?.database ?? connection.database],
    ['sub', connection.subscriptions?.channel.size ?? 0],
    ['psub', connection.subscriptions?.pattern.size ?? 0],
    ['ssub', connection.subscriptions?.shard.size ?? 0],
    ['multi', transaction === undefined ? -1 : transaction.requests.length],
    ['qbuf', query],
    ['qbuf-free', 0],
    ['argv-mem', 0],
    ['multi-mem', queued + watched],
    ['rbs', writer.length],
    ['rbp', writer.length],
    ['obl', writer.length],
    ['oll', unsent > 0 ? 1 : 0],
    ['omem', unsent],
    ['tot-mem', query + queued + watched + subscriptions + writer.length + unsent],
    ['events', unsent > 0 ? 'rw' : 'r'],
    ['cmd', command === '' ? 'NULL' : command],
    ['user', connection.userName],
    ['redir', connection.tracking?.options.redirect ?? -1],
    ['resp', connection.protocol],
  ];
  // Redis 7.2 has these for every client; 7.0 has no such fields.
  if (connection.libraryName !== '') fields.push(['lib-name', connection.libraryName]);
  if (connection.libraryVersion !== '') fields.push(['lib-ver', connection.libraryVersion]);
  return fields.map(([name, value]) => `${name}=${value}`).join(' ');
}

function flags(connection: Client): string {
  let letters = connection.isReplica ? 'S' : connection.isMonitor ? 'O' : '';
  if (connection.isSubscriber) letters += 'P';
  if (connection.executing !== undefined || connection.transaction !== undefined) letters += 'x';
  if (connection.blockedBy !== undefined) letters += 'b';
  if (connection.tracking !== undefined) letters += 't';
  if (connection.tracking?.isRedirectBroken === true) letters += 'R';
  if (connection.tracking?.options.broadcast === true) letters += 'B';
  if (connection.noEvict) letters += 'e';
  if (connection.noTouch) letters += 'T';
  if (connection.closing) letters += 'c';
  return letters === '' ? 'N' : letters;
}

const seconds = (milliseconds: number): number => Math.max(0, Math.floor(milliseconds / 1000));
