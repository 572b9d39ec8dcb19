/** Whole databases: their size, SWAPDB, FLUSHDB and FLUSHALL. */
import { read, type WriteContext, write } from '../command/command.js';
import { errors } from '../protocol/errors.js';
import { OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database, ReadableDatabase } from '../storage/database.js';

const dbsize = (_request: Request, database: ReadableDatabase): Reply => database.size;

function swapdb(request: Request, _database: Database, context: WriteContext): Reply {
  const first = request.int32(1, errors.invalidFirstDatabase);
  const second = request.int32(2, errors.invalidSecondDatabase);
  const { databases } = context.keyspace.settings;
  if (first < 0 || first >= databases || second < 0 || second >= databases) throw errors.databaseOutOfRange;
  if (first !== second) context.keyspace.swap(first, second);
  return OK;
}

/** Memory is given back piecemeal in any case; ASYNC and SYNC are taken, and mean the same. */
function checkFlushMode(request: Request): void {
  if (request.count > 2 || (request.count === 2 && !request.is(1, 'ASYNC') && !request.is(1, 'SYNC'))) {
    throw errors.syntax;
  }
}

function flushdb(request: Request, database: Database, context: WriteContext): Reply {
  checkFlushMode(request);
  context.keyspace.flush(database.id);
  context.keyspace.emptied(database.id);
  return OK;
}

function flushall(request: Request, _database: Database, context: WriteContext): Reply {
  checkFlushMode(request);
  for (const { id } of [...context.keyspace.used()]) {
    context.keyspace.flush(id);
    context.keyspace.emptied(id);
  }
  return OK;
}

/** Every row of the family. */
export const databaseCommands = [
  read(
    {
      name: 'dbsize',
      arity: 1,
      flags: ['fast'],
      categories: ['keyspace'],
      group: 'server',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'response_policy:agg_sum'],
      complexity: 'O(1)',
      summary: 'Returns the number of keys in the database.',
    },
    dbsize,
  ),
  write(
    {
      name: 'flushall',
      arity: -1,
      categories: ['keyspace', 'dangerous'],
      group: 'server',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      history: [
        ['4.0.0', 'ASYNC.'],
        ['6.2.0', 'SYNC.'],
      ],
      complexity: 'O(N), N keys',
      summary: 'Deletes all keys of all databases.',
      syntax: '[async:<ASYNC@4.0.0 | SYNC@6.2.0>]',
    },
    flushall,
  ),
  write(
    {
      name: 'flushdb',
      arity: -1,
      categories: ['keyspace', 'dangerous'],
      group: 'server',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      history: [
        ['4.0.0', 'ASYNC.'],
        ['6.2.0', 'SYNC.'],
      ],
      complexity: 'O(N), N keys',
      summary: 'Deletes all keys of the database.',
      syntax: '[async:<ASYNC@4.0.0 | SYNC@6.2.0>]',
    },
    flushdb,
  ),
  write(
    {
      name: 'swapdb',
      arity: 3,
      flags: ['fast'],
      categories: ['keyspace', 'dangerous'],
      group: 'server',
      since: '4.0.0',
      complexity: 'O(N), N clients that watch or wait on keys of either',
      summary: 'Swaps two databases.',
      syntax: 'index1:integer index2:integer',
    },
    swapdb,
  ),
];
