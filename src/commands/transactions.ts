/** MULTI and what belongs to it. The queue itself stands in transaction.ts. */
import { errors, OK, type Reply, type Request, View } from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { Transaction } from '../client/transaction.js';
import { replies } from '../replies.js';
import { encodeRequest } from '../resp/encode-request.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramReply, proposing } from './program-command.js';

/** What a client may watch however little memory there is: watching is a step of freeing some. */
const WATCHED_FREELY_BYTES = 64 * 1024;

function multi(_request: Request, connection: Client): Reply {
  if (connection.transaction !== undefined) throw replies.nestedMulti;
  connection.transaction = new Transaction();
  return OK;
}

function exec(_request: Request, connection: Client): ProgramReply {
  if (connection.transaction === undefined) throw replies.execWithoutMulti;
  return connection.exec();
}

function discard(_request: Request, connection: Client): Reply {
  if (connection.transaction === undefined) throw replies.discardWithoutMulti;
  connection.transaction = undefined;
  connection.watched.clear();
  return OK;
}

/** Remembers where the log stood when the keys were last seen: a read at the consistency of a leader. */
function watch(request: Request, connection: Client, server: NodeContext): ProgramReply {
  if (connection.transaction !== undefined) throw replies.watchInsideMulti;
  const refusal = server.refuseRead('high');
  if (refusal !== undefined) throw refusal;
  if (connection.watched.bytes > WATCHED_FREELY_BYTES && !server.eviction.admits()) throw errors.outOfMemory;
  const keys: Buffer[] = [];
  for (let i = 1; i < request.count; i++) keys.push(request.view(i).copy());
  const database = connection.database;
  connection.readNowOrLater(
    () => {
      const { keyspace } = server.engine;
      for (const key of keys) {
        if (connection.watched.has(database, key)) continue;
        connection.watched.add({
          database,
          key,
          position: keyspace.position,
          existed: keyspace.database(database).has(new View(key, 0, key.length)),
        });
      }
      connection.encode(OK);
    },
    () => encodeRequest(['WATCH', ...keys]),
  );
  return undefined;
}

function unwatch(_request: Request, connection: Client): Reply {
  connection.watched.clear();
  return OK;
}

/** Every row of the family. */
export const transactionCommands = [
  ordered(
    {
      name: 'discard',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
      group: 'transactions',
      since: '2.0.0',
      complexity: 'O(N), N commands queued',
      summary: 'Drops the queued commands of a transaction.',
    },
    discard,
  ),
  proposing(
    {
      name: 'exec',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
      group: 'transactions',
      since: '1.2.0',
      complexity: 'Depends on the commands queued',
      summary: 'Runs the queued commands of a transaction, all or none.',
    },
    exec,
  ),
  immediate(
    {
      name: 'multi',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
      group: 'transactions',
      since: '1.2.0',
      complexity: 'O(1)',
      summary: 'Starts a transaction: the commands that follow are queued.',
    },
    multi,
  ),
  ordered(
    {
      name: 'unwatch',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
      group: 'transactions',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Forgets all watched keys.',
    },
    unwatch,
  ),
  ordered(
    {
      name: 'watch',
      arity: -2,
      flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
      keys: '1..-1 RO',
      group: 'transactions',
      since: '2.2.0',
      complexity: 'O(N), N keys',
      summary: 'Watches keys: EXEC does nothing once one of them has changed.',
      syntax: 'key ...',
    },
    watch,
  ),
];
