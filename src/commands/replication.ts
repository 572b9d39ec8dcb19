/**
 * What Redis replicates by. Between nodes Raft does: REPLICAOF and FAILOVER say what to do instead. Replicas
 * of Redis, and tools that act as such, follow a node by PSYNC.
 */
import { ErrorReply, errors, OK, quoted, type Request } from '../../engine/index.js';
import type { Client } from '../client/client.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramReply } from './program-command.js';

function replicaOf(_request: Request, _connection: Client, _server: NodeContext): ProgramReply {
  throw new ErrorReply(
    'ERR REPLICAOF has no use here: nodes join with --join, leave by RAFTREMOVEPEER, and elect their leader',
  );
}

function failover(_request: Request, _connection: Client, _server: NodeContext): ProgramReply {
  throw new ErrorReply(
    'ERR FAILOVER has no use here: RAFTTRANSFER hands leadership over without losing a write',
  );
}

/** Words of REPLCONF in pairs: what a replica is, and how far it has come. */
function replconf(request: Request, connection: Client, { replicas }: NodeContext): ProgramReply {
  if (request.count % 2 === 0) throw errors.syntax;
  const traits = replicas.traits(connection);
  for (let i = 1; i < request.count; i += 2) {
    const option = request.option(i);
    if (option === 'ACK' || option === 'GETACK') {
      // As in Redis, neither is answered.
      const offset = option === 'ACK' ? request.int64OrUndefined(i + 1) : undefined;
      if (offset !== undefined) replicas.acknowledged(connection, Number(offset));
      return undefined;
    }
    if (option === 'LISTENING-PORT') traits.listeningPort = request.int32(i + 1);
    else if (option === 'IP-ADDRESS') traits.announcedHost = announcedHost(request, i + 1);
    else if (option === 'RDB-ONLY') traits.isFileOnly = isSet(request, i + 1);
    else if (option === 'RDB-FILTER-ONLY') traits.content = contentOf(request, i + 1);
    // What it can is all the same to a file whose length is known.
    else if (option !== 'CAPA')
      throw new ErrorReply(`ERR Unrecognized REPLCONF option: ${quoted(request.head(i, NAME_BYTES_MAX))}`);
  }
  return OK;
}

function isSet(request: Request, at: number): boolean {
  const value = request.int32(at);
  if (value !== 0 && value !== 1)
    throw new ErrorReply('ERR value is out of range, value must between 0 and 1');
  return value === 1;
}

const NAME_BYTES_MAX = 128;
/** An IPv6 address takes 45. */
const HOST_BYTES_MAX = 255;

function announcedHost(request: Request, at: number): string {
  if (request.length(at) > HOST_BYTES_MAX)
    throw new ErrorReply('ERR REPLCONF ip-address provided by replica instance is too long: 255 bytes max');
  return request.latin1(at).replace(/[^\w.:-]/g, '?');
}

function contentOf(request: Request, at: number): 'nothing' | 'functions' {
  const words = request.latin1(at).split(' ').filter(Boolean);
  const unknown = words.find((word) => word.toLowerCase() !== 'functions');
  if (unknown !== undefined)
    throw new ErrorReply(`ERR Unsupported rdb-filter-only option: ${quoted(unknown)}`);
  return words.length === 0 ? 'nothing' : 'functions';
}

function psync(request: Request, connection: Client, { replicas }: NodeContext): ProgramReply {
  const offset = request.integer(2);
  const id = request.head(1, NAME_BYTES_MAX);
  replicas.attach(connection, id === '?' ? undefined : { id, offset }, false);
  return undefined;
}

function sync(_request: Request, connection: Client, { replicas }: NodeContext): ProgramReply {
  replicas.attach(connection, undefined, true);
  return undefined;
}

/** Every row of the family. */
export const replicationCommands = [
  immediate(
    {
      name: 'failover',
      arity: -1,
      flags: ['admin', 'noscript', 'stale'],
      group: 'server',
      since: '6.2.0',
      summary: 'Refused: RAFTTRANSFER hands leadership over.',
      syntax: '[target:(TO (host:string port:integer [FORCE]))] [ABORT] [TIMEOUT milliseconds:integer]',
    },
    failover,
  ),
  ordered(
    {
      name: 'psync',
      arity: -3,
      flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
      group: 'server',
      since: '2.8.0',
      summary: 'Makes the connection that of a replica of Redis: see docs/IMPORT.md.',
      syntax: 'replicationid:string offset:integer',
    },
    psync,
  ),
  immediate(
    {
      name: 'replconf',
      arity: -1,
      flags: ['admin', 'noscript', 'loading', 'stale', 'allow_busy'],
      docFlags: ['syscmd'],
      group: 'server',
      since: '3.0.0',
      summary: 'Tells a node of the replica of Redis that is about to follow it.',
    },
    replconf,
  ),
  ordered(
    {
      name: 'sync',
      arity: 1,
      flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
      group: 'server',
      since: '1.0.0',
      summary: 'The same as PSYNC, for a replica that knows no offsets.',
    },
    sync,
  ),
  immediate(
    {
      name: 'replicaof',
      arity: 3,
      flags: ['admin', 'noscript', 'stale', 'no_async_loading'],
      group: 'server',
      since: '5.0.0',
      summary: 'Refused: nodes join by themselves and elect their leader.',
      syntax: 'host:string port:integer',
    },
    replicaOf,
  ),
  immediate(
    {
      name: 'slaveof',
      arity: 3,
      flags: ['admin', 'noscript', 'stale', 'no_async_loading'],
      group: 'server',
      since: '1.0.0',
      docFlags: ['deprecated'],
      deprecatedSince: '5.0.0',
      replacedBy: '`REPLICAOF`',
      summary: 'Refused: nodes join by themselves and elect their leader.',
      syntax: 'host:string port:integer',
    },
    replicaOf,
  ),
];
