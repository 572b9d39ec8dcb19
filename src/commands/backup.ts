/** What `redraft backup` asks of a node: a snapshot piece by piece, and the entries of the log behind it. */
import { ErrorReply, errors, type Reply, type Request } from '../../engine/index.js';
import type { SnapshotReader } from '../../raft/node/index.js';
import type { Client } from '../client/client.js';
import type { NodeContext } from './node-context.js';
import { ordered } from './program-command.js';

const ENTRIES_BYTES = 1024 * 1024;

/** One at a time for each client. */
const readers = new WeakMap<Client, SnapshotReader>();
/** Whose end closes its reader. */
const watched = new WeakSet<Client>();

async function snapshot(connection: Client, server: NodeContext): Promise<Reply> {
  await readers.get(connection)?.close();
  readers.delete(connection);
  await server.takeSnapshot();
  const { snapshotter } = server.node;
  const reader = await snapshotter.read(server.node.storageStatus().snapshot.index);
  if (connection.socket.destroyed) {
    await reader.close();
    return null;
  }
  readers.set(connection, reader);
  if (!watched.has(connection)) {
    watched.add(connection);
    connection.socket.once(
      'close',
      () =>
        void readers
          .get(connection)
          ?.close()
          .catch(() => {}),
    );
  }
  const { metadata, dataBytes } = reader;
  return JSON.stringify({ clusterId: server.clusterName, ...metadata, dataBytes });
}

async function read(connection: Client): Promise<Reply> {
  const reader = readers.get(connection);
  if (reader === undefined) throw new ErrorReply('ERR RAFTBACKUP SNAPSHOT comes first');
  const piece = await reader.next();
  if (piece !== undefined) return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  readers.delete(connection);
  await reader.close();
  return null;
}

/** The last entry applied, then index, term, kind and payload of some from `from` on. */
function entries(from: number, { node }: NodeContext): Reply {
  const { log, applied } = node;
  if (from < log.firstIndex())
    throw new ErrorReply(`GONE entry ${from} is not kept any more, entry ${log.firstIndex()} is`);
  const last = Math.min(applied, log.lastIndex());
  const found = from > last ? [] : log.entries(from, last + 1, ENTRIES_BYTES);
  return [
    last,
    ...found.flatMap(({ index, term, kind, payload }) => [
      index,
      term,
      kind,
      Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength),
    ]),
  ];
}

function backup(request: Request, connection: Client, server: NodeContext): Reply | Promise<Reply> {
  if (request.is(1, 'ENTRIES') && request.count === 3) {
    const from = request.int64(2);
    if (typeof from !== 'number' || from < 1) throw errors.notInteger;
    return entries(from, server);
  }
  if (request.count !== 2) throw errors.syntax;
  if (request.is(1, 'SNAPSHOT')) return snapshot(connection, server);
  if (request.is(1, 'READ')) return read(connection);
  throw errors.syntax;
}

/** Every row of the family. */
export const backupCommands = [
  ordered(
    {
      name: 'raftbackup',
      arity: -2,
      flags: ['admin', 'noscript', 'no_multi'],
      group: 'cluster',
      since: '0.1.0',
      summary: 'Gives a snapshot piece by piece, or entries of the log: for redraft backup.',
      syntax: '<SNAPSHOT | READ | ENTRIES index:integer>',
    },
    backup,
  ),
];
