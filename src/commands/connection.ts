/** Commands about the connection itself. CLIENT stands in clients.ts. */
import {
  DEFAULT_USER,
  ErrorReply,
  errors,
  MapReply,
  OK,
  parseTrusted,
  quoted,
  type Reply,
  Request,
  Status,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { replies } from '../replies.js';
import { encodeRequest } from '../resp/encode-request.js';
import { serverVersion } from '../version.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramHandler } from './program-command.js';

const PONG = new Status('PONG');
const RESET = new Status('RESET');

function ping(request: Request, connection: Client): Reply {
  if (request.count > 2) throw errors.wrongArity('ping');
  // A subscriber in RESP2 tells replies by their first element.
  if (connection.isSubscriber && connection.protocol === 2)
    return ['pong', request.count === 2 ? request.latin1(1) : ''];
  return request.count === 2 ? request.latin1(1) : PONG;
}

const echo = (request: Request): Reply => request.latin1(1);

function select(request: Request, connection: Client, server: NodeContext): Reply {
  const id = server.engine.select(request);
  if (id instanceof ErrorReply) return id;
  connection.database = id;
  return OK;
}

// ---- who the client is ----

/** Makes the client a user, or throws WRONGPASS. */
function authenticate(
  connection: Client,
  server: NodeContext,
  command: string,
  user: string,
  password: string,
): void {
  const { access } = server;
  if (!access.accepts(user, password)) {
    // The user may be one that this node has not recovered yet.
    if (server.loading !== undefined && access.user(user)?.passwords.length !== 1) throw replies.loading;
    server.authenticationGate.failed(connection.socket.remoteAddress ?? '');
    access.note('auth', connection.inExec ? 'multi' : 'toplevel', command, user, connection, command);
    throw replies.wrongPass;
  }
  access.become(connection, user, true);
}

/**
 * A node that has proved the cluster's secret says whose commands it forwards, and whether that client gave
 * a password. A client that gave none is taken only where none is asked for: that node may not have learnt of
 * it yet.
 */
function authenticatePassedOn(connection: Client, server: NodeContext, name: string, proof: string): Reply {
  const user = server.access.user(name);
  connection.authenticated = false;
  if (user === undefined || (proof !== 'password' && !user.hasNoPassword)) throw replies.wrongPass;
  server.access.become(connection, name, proof === 'password');
  return OK;
}

/** Judges a password when it is the turn of the client's address. */
function inTurn(run: ProgramHandler): ProgramHandler {
  return (request, connection, server) => {
    if (connection.forwardedBy !== 0 || !triesPassword(request)) return run(request, connection, server);
    const waitMs = server.authenticationGate.waitMs(connection.socket.remoteAddress ?? '');
    if (waitMs === undefined) throw replies.tooManyAuthentications;
    if (waitMs === 0) return run(request, connection, server);
    // The request's bytes are only lent.
    const args = Array.from({ length: request.count }, (_, i) => Buffer.from(request.latin1(i), 'latin1'));
    const kept = new Request();
    parseTrusted(encodeRequest(args), 0, kept);
    return server.after(waitMs).then(() => {
      // Who hung up gets no judgement.
      return connection.closing ? undefined : run(kept, connection, server);
    });
  };
}

function triesPassword(request: Request): boolean {
  if (request.is(0, 'AUTH')) return true;
  for (let i = 2; i < request.count; i++) if (request.option(i) === 'AUTH') return true;
  return false;
}

function auth(request: Request, connection: Client, server: NodeContext): Reply {
  if (request.count > 3) throw errors.syntax;
  if (connection.forwardedBy !== 0)
    return authenticatePassedOn(connection, server, request.latin1(1), request.latin1(2));
  if (request.count === 2) {
    if (server.access.isOpen) throw replies.noPassword;
    authenticate(connection, server, 'auth', DEFAULT_USER, request.latin1(1));
  } else {
    authenticate(connection, server, 'auth', request.latin1(1), request.latin1(2));
  }
  return OK;
}

function hello(request: Request, connection: Client, server: NodeContext): Reply {
  let protocol: 2 | 3 = connection.protocol;
  if (request.count > 1) {
    const version = request.int64OrUndefined(1);
    if (version === undefined) throw replies.protocolNotInteger;
    if (version !== 2 && version !== 3) throw replies.unsupportedProtocol;
    protocol = version;
  }
  for (let i = 2; i < request.count; i++) {
    const option = request.option(i);
    const more = request.count - 1 - i;
    if (option === 'AUTH' && more >= 2) {
      authenticate(connection, server, 'hello', request.latin1(i + 1), request.latin1(i + 2));
      i += 2;
    } else if (option === 'SETNAME' && more >= 1) {
      const name = request.latin1(++i);
      checkClientName(name);
      // At once: an option behind it that is refused does not take it back.
      connection.name = name;
    } else {
      throw new ErrorReply(`ERR Syntax error in HELLO option '${quoted(request.latin1(i))}'`);
    }
  }
  if (!connection.authenticated) throw replies.helloWithoutAuth;
  connection.writer.protocol = protocol;
  return new MapReply([
    'server',
    'redis',
    'version',
    serverVersion,
    'proto',
    protocol,
    'id',
    connection.id,
    'mode',
    server.topology.mode,
    'role',
    server.isLeader ? 'master' : 'replica',
    'modules',
    [],
  ]);
}

/** Throws unless a name has printable characters only, without spaces. */
export function checkClientName(name: string): void {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) throw replies.invalidClientName;
  }
}

function quit(_request: Request, connection: Client): undefined {
  connection.answer(OK);
  connection.closeAfterReplies();
}

function reset(_request: Request, connection: Client, server: NodeContext): Reply {
  if (connection.subscriptions !== undefined)
    server.subscriptions.forget(connection, connection.subscriptions);
  connection.stopTracking();
  server.audience.monitors.delete(connection);
  connection.isMonitor = false;
  connection.transaction = undefined;
  connection.watched.clear();
  connection.database = 0;
  connection.name = '';
  connection.noEvict = connection.noTouch = false;
  connection.replyMode = 'on';
  connection.consistency = server.consistency;
  connection.readsReplica = false;
  server.access.reset(connection);
  connection.writer.protocol = 2;
  return RESET;
}

/** Every row of the family. */
export const connectionCommands = [
  // Behind an ACL SETUSER of the same client, whose user it may name.
  ordered(
    {
      name: 'auth',
      arity: -2,
      flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
      group: 'connection',
      since: '1.0.0',
      history: [['6.0.0', 'A user name.']],
      complexity: 'O(1)',
      summary: 'Proves who the client is.',
      syntax: '[username@6.0.0] password',
    },
    inTurn(auth),
  ),
  immediate(
    {
      name: 'echo',
      arity: 2,
      flags: ['loading', 'stale', 'fast'],
      group: 'connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Returns its argument.',
      syntax: 'message',
    },
    echo,
  ),
  ordered(
    {
      name: 'hello',
      arity: -1,
      flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
      group: 'connection',
      since: '6.0.0',
      history: [['6.2.0', 'Without arguments it only describes the connection.']],
      complexity: 'O(1)',
      summary: 'Chooses the protocol version, and may authenticate and name the connection.',
      syntax: '[arguments:(protover:integer [AUTH (username password)] [SETNAME clientname])]',
    },
    inTurn(hello),
  ),
  immediate(
    {
      name: 'ping',
      arity: -1,
      flags: ['fast'],
      group: 'connection',
      since: '1.0.0',
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      complexity: 'O(1)',
      summary: 'Replies PONG, or its argument.',
      syntax: '[message]',
    },
    ping,
  ),
  ordered(
    {
      name: 'quit',
      arity: -1,
      flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
      group: 'connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Closes the connection.',
    },
    quit,
  ),
  ordered(
    {
      name: 'reset',
      arity: 1,
      flags: ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'],
      group: 'connection',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Brings the connection back to its first state.',
    },
    reset,
  ),
  immediate(
    {
      name: 'select',
      arity: 2,
      flags: ['loading', 'stale', 'fast'],
      group: 'connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Chooses the database of this connection.',
      syntax: 'index:integer',
    },
    select,
  ),
];
