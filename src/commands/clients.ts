/** CLIENT: connections looked at, named, paused and closed. */
import {
  container,
  containerHelp,
  ErrorReply,
  errors,
  OK,
  quoted,
  type Reply,
  type Request,
  Verbatim,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { type ClientType, clientType, describeClient, typeOf } from '../client/description.js';
import { localAddress } from '../net/socket-addresses.js';
import { replies } from '../replies.js';
import { checkClientName } from './connection.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramReply } from './program-command.js';
import { caching, getredir, tracking, trackinginfo } from './tracking.js';

// ---- oneself ----

const id = (_request: Request, connection: Client): Reply => connection.id;

const getname = (_request: Request, connection: Client): Reply =>
  connection.name === '' ? null : connection.name;

function setname(request: Request, connection: Client): Reply {
  const name = request.latin1(2);
  checkClientName(name);
  connection.name = name;
  return OK;
}

function setinfo(request: Request, connection: Client): Reply {
  const attribute = request.latin1(2);
  const value = request.latin1(3);
  const isName = attribute.toLowerCase() === 'lib-name';
  if (!isName && attribute.toLowerCase() !== 'lib-ver') throw replies.unrecognizedAttribute(attribute);
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) throw replies.invalidAttribute(attribute.toLowerCase());
  }
  if (isName) connection.libraryName = value;
  else connection.libraryVersion = value;
  return OK;
}

const info = (_request: Request, connection: Client, server: NodeContext): Reply =>
  new Verbatim('txt', `${describeClient(connection, server.clock())}\n`);

function reply(request: Request, connection: Client): Reply | undefined {
  switch (request.option(2)) {
    case 'ON':
      connection.replyMode = 'on';
      return OK;
    case 'OFF':
      connection.replyMode = 'off';
      return undefined;
    case 'SKIP':
      if (connection.replyMode !== 'off') connection.replyMode = 'skip next';
      return undefined;
    default:
      throw errors.syntax;
  }
}

function onOrOff(request: Request, index: number): boolean {
  if (request.is(index, 'ON')) return true;
  if (request.is(index, 'OFF')) return false;
  throw errors.syntax;
}

function noEvict(request: Request, connection: Client): Reply {
  connection.noEvict = onOrOff(request, 2);
  return OK;
}

function noTouch(request: Request, connection: Client): Reply {
  connection.noTouch = onOrOff(request, 2);
  return OK;
}

// ---- all of them ----

/** Throws unless `word` names a type of client. */
function requireType(word: string): ClientType {
  const type = clientType(word);
  if (type === undefined) throw new ErrorReply(`ERR Unknown client type '${quoted(word)}'`);
  return type;
}

function list(request: Request, _connection: Client, server: NodeContext): Reply {
  let chosen: Iterable<Client> = server.connections.values();
  if (request.count === 4 && request.is(2, 'TYPE')) {
    const type = requireType(request.latin1(3));
    chosen = [...chosen].filter((connection) => typeOf(connection) === type);
  } else if (request.count > 3 && request.is(2, 'ID')) {
    const named: Client[] = [];
    for (let i = 3; i < request.count; i++) {
      const number = request.int64OrUndefined(i);
      if (number === undefined) throw new ErrorReply('ERR Invalid client ID');
      const connection = server.connections.get(Number(number));
      if (connection !== undefined) named.push(connection);
    }
    chosen = named;
  } else if (request.count !== 2) {
    throw errors.syntax;
  }
  const nowMs = server.clock();
  let text = '';
  for (const connection of chosen) text += `${describeClient(connection, nowMs)}\n`;
  return new Verbatim('txt', text);
}

/** Which connections CLIENT KILL means. What is undefined does not matter. */
interface KillFilter {
  readonly id?: number;
  readonly address?: string;
  readonly localAddress?: string;
  readonly type?: ClientType;
  readonly userName?: string;
  readonly skipSelf: boolean;
}

function killFilter(request: Request, server: NodeContext): KillFilter {
  if (request.count === 3) return { address: request.latin1(2), skipSelf: false };
  const filter: { -readonly [Name in keyof KillFilter]: KillFilter[Name] } = { skipSelf: true };
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 === request.count) throw errors.syntax;
    const value = request.latin1(i + 1);
    switch (request.option(i)) {
      case 'ID': {
        const number = request.int64OrUndefined(i + 1);
        if (number === undefined || number < 1) throw replies.clientIdNotPositive;
        filter.id = Number(number);
        break;
      }
      case 'TYPE':
        filter.type = requireType(value);
        break;
      case 'ADDR':
        filter.address = value;
        break;
      case 'LADDR':
        filter.localAddress = value;
        break;
      case 'USER':
        if (server.access.user(value) === undefined)
          throw new ErrorReply(`ERR No such user '${quoted(value)}'`);
        filter.userName = value;
        break;
      case 'SKIPME':
        if (request.is(i + 1, 'YES')) filter.skipSelf = true;
        else if (request.is(i + 1, 'NO')) filter.skipSelf = false;
        else throw errors.syntax;
        break;
      default:
        throw errors.syntax;
    }
  }
  return filter;
}

function kill(request: Request, connection: Client, server: NodeContext): Reply {
  const filter = killFilter(request, server);
  let killed = 0;
  for (const other of server.connections.values()) {
    if (filter.address !== undefined && filter.address !== other.address) continue;
    if (filter.localAddress !== undefined && filter.localAddress !== localAddress(other.socket)) continue;
    if (filter.type !== undefined && filter.type !== typeOf(other)) continue;
    if (filter.id !== undefined && filter.id !== other.id) continue;
    if (filter.userName !== undefined && filter.userName !== other.userName) continue;
    if (filter.skipSelf && other === connection) continue;
    // Whoever kills itself still gets the reply.
    if (other === connection) connection.closeAfterReplies();
    else other.cutOff();
    killed++;
  }
  if (request.count > 3) return killed;
  return killed === 0 ? replies.noSuchClient : OK;
}

function pause(request: Request, connection: Client, server: NodeContext): ProgramReply {
  let what: 'all' | 'write' = 'all';
  if (request.count > 4) throw replies.unknownArguments(request.latin1(1), 'CLIENT');
  if (request.count === 4) {
    if (request.is(3, 'WRITE')) what = 'write';
    else if (!request.is(3, 'ALL')) throw new ErrorReply('ERR CLIENT PAUSE mode must be WRITE or ALL');
  }
  const timeoutMs = request.int64OrUndefined(2);
  if (timeoutMs === undefined) throw replies.timeoutNotInteger;
  if (timeoutMs < 0) throw replies.timeoutNegative;
  server.pauses.begin({ untilMs: server.clock() + Number(timeoutMs), what });
  // Who holds writes up to go on elsewhere is to find there all that were taken: they are applied first.
  if (connection.executing !== undefined || !server.replica.hasUnapplied) return OK;
  return server.proposeItem(0, (builder) => builder.forget(server.session));
}

function unpause(_request: Request, _connection: Client, server: NodeContext): Reply {
  server.pauses.end();
  return OK;
}

/**
 * Who waits is state of all nodes: the log says that it waits no more, and in which order with the pushes
 * around it.
 */
function unblock(request: Request, _connection: Client, server: NodeContext): ProgramReply {
  let withError = false;
  if (request.count > 4) throw replies.unknownArguments(request.latin1(1), 'CLIENT');
  if (request.count === 4) {
    if (request.is(3, 'ERROR')) withError = true;
    else if (!request.is(3, 'TIMEOUT')) {
      throw new ErrorReply('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
    }
  }
  const target = server.connections.get(request.integer(2));
  if (target === undefined || target.blockedBy === undefined || server.refuseWrite(false) !== undefined)
    return 0;
  return server.proposeItem(1, (builder) => builder.unblock(target.session, withError));
}

const help = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  containerHelp(server.catalog.get('client')!);

/** Every row of the family. */
export const clientCommands = [
  container(
    {
      name: 'client',
      arity: -2,
      group: 'connection',
      since: '2.4.0',
      complexity: 'Depends on the subcommand',
      summary: 'Looks at and manages connections.',
    },
    [
      ordered(
        {
          name: 'client|caching',
          arity: 3,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '6.0.0',
          complexity: 'O(1)',
          summary: "Says whether the next command's keys are tracked.",
          syntax: 'mode:<YES | NO>',
        },
        caching,
      ),
      immediate(
        {
          name: 'client|getname',
          arity: 2,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '2.6.9',
          complexity: 'O(1)',
          summary: 'Returns the name of this connection.',
        },
        getname,
      ),
      ordered(
        {
          name: 'client|getredir',
          arity: 2,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '6.0.0',
          complexity: 'O(1)',
          summary: 'Returns the client that gets the tracking notices of this connection.',
        },
        getredir,
      ),
      immediate(
        {
          name: 'client|help',
          arity: 2,
          flags: ['loading', 'stale'],
          group: 'connection',
          since: '5.0.0',
          complexity: 'O(1)',
          summary: 'Lists the subcommands.',
        },
        help,
      ),
      immediate(
        {
          name: 'client|id',
          arity: 2,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '5.0.0',
          complexity: 'O(1)',
          summary: 'Returns the identifier of this connection.',
        },
        id,
      ),
      immediate(
        {
          name: 'client|info',
          arity: 2,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '6.2.0',
          tips: ['nondeterministic_output'],
          complexity: 'O(1)',
          summary: 'Describes this connection.',
        },
        info,
      ),
      immediate(
        {
          name: 'client|kill',
          arity: -3,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'connection',
          since: '2.4.0',
          history: [
            ['2.8.12', 'Filters.'],
            ['2.8.12', 'ID.'],
            ['3.2.0', 'TYPE master.'],
            ['5.0.0', 'TYPE replica, besides slave.'],
            ['6.2.0', 'LADDR.'],
          ],
          complexity: 'O(N), N connections',
          summary: 'Closes connections.',
          syntax:
            'filter:<"ip:port"!2.8.12 | new-format:<[ID client-id:integer@2.8.12] | [TYPE normal_master_slave_pubsub:<NORMAL | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | PUBSUB>@2.8.12] | [USER username] | [ADDR "ip:port"] | [LADDR "ip:port"@6.2.0] | [SKIPME yes/no]> ...>',
        },
        kill,
      ),
      immediate(
        {
          name: 'client|list',
          arity: -2,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'connection',
          since: '2.4.0',
          tips: ['nondeterministic_output'],
          history: [
            ['2.8.12', 'The id field.'],
            ['5.0.0', 'TYPE.'],
            ['6.0.0', 'The user field.'],
            ['6.2.0', 'The fields argv-mem, tot-mem, laddr and redir, and ID.'],
            ['7.0.0', 'The fields resp, multi-mem, rbs and rbp.'],
            ['7.0.3', 'The ssub field.'],
          ],
          complexity: 'O(N), N connections',
          summary: 'Lists the connections.',
          syntax: '[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>@5.0.0] [ID id:(client-id:integer ...)@6.2.0]',
        },
        list,
      ),
      immediate(
        {
          name: 'client|no-evict',
          arity: 3,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'connection',
          since: '7.0.0',
          complexity: 'O(1)',
          summary: 'Keeps this connection from being evicted.',
          syntax: 'enabled:<ON | OFF>',
        },
        noEvict,
      ),
      immediate(
        {
          name: 'client|pause',
          arity: -3,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'connection',
          since: '2.9.50',
          history: [['6.2.0', 'WRITE and ALL.']],
          complexity: 'O(1)',
          summary: 'Holds back commands of all clients for a time.',
          syntax: 'timeout:integer [mode:<WRITE | ALL>@6.2.0]',
        },
        pause,
      ),
      ordered(
        {
          name: 'client|reply',
          arity: 3,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '3.2.0',
          complexity: 'O(1)',
          summary: 'Switches the replies to this connection on or off.',
          syntax: '<ON | OFF | SKIP>',
        },
        reply,
      ),
      immediate(
        {
          name: 'client|setname',
          arity: 3,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '2.6.9',
          complexity: 'O(1)',
          summary: 'Names this connection.',
          syntax: 'connection-name',
        },
        setname,
      ),
      ordered(
        {
          name: 'client|tracking',
          arity: -3,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '6.0.0',
          complexity: 'O(1)',
          summary: 'Switches client-side caching for this connection on or off.',
          syntax:
            'status:<ON | OFF> [REDIRECT client-id:integer] [PREFIX prefix]... [BCAST] [OPTIN] [OPTOUT] [NOLOOP]',
        },
        tracking,
      ),
      ordered(
        {
          name: 'client|trackinginfo',
          arity: 2,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '6.2.0',
          complexity: 'O(1)',
          summary: 'Describes the client-side caching of this connection.',
        },
        trackinginfo,
      ),
      immediate(
        {
          name: 'client|unblock',
          arity: -3,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'connection',
          since: '5.0.0',
          complexity: 'O(log(N)), N connections',
          summary: 'Wakes a client that waits in a blocking command.',
          syntax: 'client-id:integer [TIMEOUT | ERROR]',
        },
        unblock,
      ),
      immediate(
        {
          name: 'client|unpause',
          arity: 2,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'connection',
          since: '6.2.0',
          complexity: 'O(N), N clients held back',
          summary: 'Lets commands go on after CLIENT PAUSE.',
        },
        unpause,
      ),
      // Of Redis 7.2: client libraries send them.
      immediate(
        {
          name: 'client|no-touch',
          arity: 3,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '7.2.0',
          complexity: 'O(1)',
          summary: 'Keeps the commands of this connection from changing access times.',
          syntax: 'enabled:<ON | OFF>',
        },
        noTouch,
      ),
      immediate(
        {
          name: 'client|setinfo',
          arity: 4,
          flags: ['noscript', 'loading', 'stale'],
          group: 'connection',
          since: '7.2.0',
          tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
          complexity: 'O(1)',
          summary: 'Tells the name or version of the client library.',
          syntax: 'attr:<LIB-NAME libname | LIB-VER libver>',
        },
        setinfo,
      ),
    ],
  ),
];
