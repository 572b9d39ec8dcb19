/**
 * Commands about the server as a whole. CONFIG, CLIENT, COMMAND, MEMORY and DEBUG have files of their own.
 */
import {
  ErrorReply,
  errors,
  OK,
  type Reply,
  type Request,
  Status,
  utf8Bytes,
  Verbatim,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { isOverTls } from '../net/client-socket.js';
import { gatherInformation } from '../observability/info.js';
import { formatInfo } from '../observability/info-text.js';
import { redraftVersion, serverVersion } from '../version.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramReply } from './program-command.js';

function info(request: Request, _connection: Client, server: NodeContext): Reply {
  const sections: string[] = [];
  for (let i = 1; i < request.count; i++) sections.push(request.latin1(i));
  return new Verbatim('txt', formatInfo(sections, gatherInformation(server)));
}

function time(_request: Request, _connection: Client, server: NodeContext): Reply {
  const nowUs = server.clockUs();
  return [`${Math.floor(nowUs / 1e6)}`, `${nowUs % 1e6}`];
}

/** As replication would be described: offsets are indexes of the log. */
function role(_request: Request, { socket }: Client, server: NodeContext): Reply {
  const { topology, consensus } = server;
  const overTls = isOverTls(socket);
  if (server.isLeader) {
    const { commit } = server.node.status();
    const replicas = topology.nodes(overTls).filter(({ isSelf, isAlive }) => !isSelf && isAlive);
    const attached = server.replicas.describe().map((replica) => ({ ...replica, offset: replica.index }));
    const all = [...replicas, ...attached];
    return ['master', commit, all.map(({ host, port, offset }) => [host, `${port}`, `${offset}`])];
  }
  const { host, port } = topology.addressOf(consensus.leaderId, overTls);
  const state = !consensus.hasLeader
    ? 'connect'
    : topology.isConnected(consensus.leaderId)
      ? 'connected'
      : 'connecting';
  return ['slave', host, port, state, consensus.isBound ? server.node.applied : 0];
}

// ---- snapshots ----

const lastsave = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.rdbSave.lastSeconds;

async function save(_request: Request, _connection: Client, server: NodeContext): Promise<Reply> {
  await server.rdbSave.save();
  return OK;
}

const BACKGROUND_SAVING = new Status('Background saving started');
const APPENDING = new Status('Background append only file rewriting started');

function bgsave(request: Request, _connection: Client, server: NodeContext): Reply {
  if (request.count > 2 || (request.count === 2 && !request.is(1, 'SCHEDULE'))) throw errors.syntax;
  const isBusy = server.node.storageStatus().isSnapshotting || server.rdbSave.isUnderWay;
  if (isBusy && request.count === 1) {
    throw new ErrorReply('ERR Background save already in progress');
  }
  server.rdbSave
    .save()
    .catch((error: Error) => server.log.warning(`BGSAVE: ${error.message}`, { event: 'snapshot-failed' }));
  return BACKGROUND_SAVING;
}

/** The log is rewritten by a snapshot: there is no other append-only file. */
function bgrewriteaof(_request: Request, _connection: Client, server: NodeContext): Reply {
  void server
    .takeSnapshot()
    .catch((error: Error) =>
      server.log.warning(`snapshot failed: ${error.message}`, { event: 'snapshot-failed' }),
    );
  return APPENDING;
}

// ---- the end ----

function shutdown(request: Request, _connection: Client, server: NodeContext): ProgramReply {
  let snapshot = false;
  let noSnapshot = false;
  let abort = false;
  for (let i = 1; i < request.count; i++) {
    if (request.is(i, 'SAVE')) snapshot = true;
    else if (request.is(i, 'NOSAVE')) noSnapshot = true;
    else if (request.is(i, 'ABORT')) abort = true;
    else if (!request.is(i, 'NOW') && !request.is(i, 'FORCE')) throw errors.syntax;
  }
  if ((snapshot && noSnapshot) || (abort && request.count > 2)) throw errors.syntax;
  // A shutdown here never waits, so there is none to abort.
  if (abort) throw new ErrorReply('ERR No shutdown in progress.');
  const done = snapshot ? server.rdbSave.save() : Promise.resolve();
  return done.then(() => {
    server.shutdown();
    return undefined;
  });
}

function lolwut(request: Request): Reply {
  // Each of Redis's versions draws something else; this one draws one thing, and checks what it is asked for
  // all the same.
  if (request.count >= 3 && request.is(1, 'VERSION')) request.int64(2);
  return new Verbatim(
    'txt',
    utf8Bytes(`${art()}\nRedraft ver. ${redraftVersion}, speaks Redis ver. ${serverVersion}\n`),
  );
}

/** Five nodes agreeing, as a table of terms. */
function art(): string {
  const rows = ['  term 1  ●──○──○──○──○', '  term 2  ○──●──○──○──○', '  term 3  ○──○──●──○──○'];
  return `${rows.join('\n')}\n  all agree.\n`;
}

/** Every row of the family. */
export const serverCommands = [
  immediate(
    {
      name: 'bgrewriteaof',
      arity: 1,
      flags: ['admin', 'noscript', 'no_async_loading'],
      group: 'server',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Rewrites the append-only file in the background.',
    },
    bgrewriteaof,
  ),
  immediate(
    {
      name: 'bgsave',
      arity: -1,
      flags: ['admin', 'noscript', 'no_async_loading'],
      group: 'server',
      since: '1.0.0',
      history: [['3.2.2', 'SCHEDULE.']],
      complexity: 'O(1)',
      summary: 'Saves a snapshot in the background.',
      syntax: '[SCHEDULE@3.2.2]',
    },
    bgsave,
  ),
  ordered(
    {
      name: 'info',
      arity: -1,
      flags: ['loading', 'stale'],
      categories: ['dangerous'],
      group: 'server',
      since: '1.0.0',
      tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
      history: [['7.0.0', 'Several sections.']],
      complexity: 'O(1)',
      summary: 'Returns facts and statistics about the server.',
      syntax: '[section ...]',
    },
    info,
  ),
  immediate(
    {
      name: 'lastsave',
      arity: 1,
      flags: ['loading', 'stale', 'fast'],
      categories: ['admin', 'dangerous'],
      group: 'server',
      since: '1.0.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(1)',
      summary: 'Returns the Unix time of the last snapshot.',
    },
    lastsave,
  ),
  immediate(
    {
      name: 'lolwut',
      categories: ['read'],
      arity: -1,
      flags: ['fast'],
      group: 'server',
      since: '5.0.0',
      complexity: 'O(1)',
      summary: 'Shows the version of the server with a drawing.',
      syntax: '[VERSION version:integer]',
    },
    lolwut,
  ),
  immediate(
    {
      name: 'role',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast'],
      categories: ['admin', 'dangerous'],
      group: 'server',
      since: '2.8.12',
      complexity: 'O(1)',
      summary: 'Returns the role of the server in replication.',
    },
    role,
  ),
  ordered(
    {
      name: 'save',
      arity: 1,
      flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
      group: 'server',
      since: '1.0.0',
      complexity: 'O(N), N keys',
      summary: 'Saves a snapshot and waits for it.',
    },
    save,
  ),
  immediate(
    {
      name: 'shutdown',
      arity: -1,
      flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
      group: 'server',
      since: '1.0.0',
      history: [['7.0.0', 'NOW, FORCE and ABORT.']],
      complexity: 'O(N) when saving, N keys',
      summary: 'Ends the server, with a snapshot or without.',
      syntax: '[NOSAVE | SAVE] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]',
    },
    shutdown,
  ),
  immediate(
    {
      name: 'time',
      arity: 1,
      flags: ['loading', 'stale', 'fast'],
      group: 'server',
      since: '2.6.0',
      tips: ['nondeterministic_output'],
      complexity: 'O(1)',
      summary: 'Returns the time of the server.',
    },
    time,
  ),
];
