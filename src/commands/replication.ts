/** What Redis replicates by, where Raft does: each says what to do instead. */
import { ErrorReply, type Request } from '../../engine/index.js';
import type { Client } from '../client/client.js';
import type { NodeContext } from './node-context.js';
import { immediate, type ProgramReply } from './program-command.js';

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
