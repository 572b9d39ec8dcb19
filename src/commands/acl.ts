/** ACL. Users are state of the cluster; the log of what was denied is this node's. */

import { randomBytes } from 'node:crypto';
import {
  aclCategories,
  container,
  containerHelp,
  Double,
  ErrorReply,
  type Facts,
  isAclCategory,
  MapReply,
  OK,
  parseTrusted,
  quoted,
  type Reply,
  Request,
  SetReply,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { replies } from '../replies.js';
import { encodeRequest } from '../resp/encode-request.js';
import { type PrepareUsers, prepareDeletion, prepareUser, replacement, wordsFrom } from './acl-changes.js';
import { readUsers, UserLineError, writeUsers } from './acl-file.js';
import type { NodeContext } from './node-context.js';
import { administering, immediate, ordered } from './program-command.js';

function cat(request: Request, _connection: Client, server: NodeContext): Reply {
  if (request.count === 2) return aclCategories;
  if (request.count > 3) throw replies.unknownArguments(request.latin1(1), 'ACL');
  const category = request.latin1(2).toLowerCase();
  if (!isAclCategory(category))
    throw new ErrorReply(`ERR Unknown category '${quoted(request.latin1(2), 128)}'`);
  const names: string[] = [];
  for (const command of server.catalog.all())
    if (command.categories.includes(category)) names.push(command.name);
  return names;
}

const whoami = (_request: Request, connection: Client): Reply => connection.userName;

const users = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.access.all().map(({ name }) => name);

const list = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.access.all().map((user) => server.access.commands.line(user));

function getuser(request: Request, _connection: Client, server: NodeContext): Reply {
  const { access } = server;
  const user = access.user(request.latin1(2));
  if (user === undefined) return null;
  const flags = [user.isOn ? 'on' : 'off'];
  if (user.hasNoPassword) flags.push('nopass');
  if (user.sanitizesPayload !== undefined)
    flags.push(user.sanitizesPayload ? 'sanitize-payload' : 'skip-sanitize-payload');
  const rights = user.selectors.map((selector): Reply[] => [
    ...['commands', access.commands.describe(selector)],
    ...['keys', selector.keyRules.join(' ')],
    ...['channels', selector.channelRules.join(' ')],
  ]);
  const [own, ...others] = rights;
  const selectors = others.map((items) => new MapReply(items));
  return new MapReply([
    ...['flags', new SetReply(flags), 'passwords', user.passwords],
    ...own,
    ...['selectors', selectors],
  ]);
}

function dryrun(request: Request, _connection: Client, server: NodeContext): Reply {
  const user = server.access.user(request.latin1(2));
  if (user === undefined) throw replies.noSuchUser(request.latin1(2));
  const asked = new Request();
  parseTrusted(encodeRequest(wordsFrom(request, 3)), 0, asked);
  const row = server.table.resolve(asked);
  if (row instanceof ErrorReply) {
    const name = request.latin1(3);
    const isKnown = server.catalog.get(name) !== undefined && !name.includes('|');
    throw isKnown && /^ERR wrong number/.test(row.text)
      ? row
      : new ErrorReply(`ERR Command '${quoted(name)}' not found`);
  }
  const denial = server.access.permissions(user.name).deny(row.name, asked);
  if (denial === undefined) return OK;
  const what =
    denial.reason === 'command'
      ? `run the '${row.name}' command`
      : `access the '${asked.latin1(denial.position)}' ${denial.reason}`;
  return `This user has no permissions to ${what}`;
}

function log(request: Request, _connection: Client, server: NodeContext): Reply {
  const { access } = server;
  if (request.count > 3) throw replies.unknownArguments(request.latin1(1), 'ACL');
  if (request.count === 3 && request.is(2, 'RESET')) {
    access.log.reset();
    return OK;
  }
  const count = request.count === 3 ? request.integer(2) : 10;
  const nowMs = server.clock();
  return access.log
    .newest(count)
    .map(
      (entry) =>
        new MapReply([
          ...['count', entry.count, 'reason', entry.reason, 'context', entry.context],
          ...['object', entry.object, 'username', entry.userName],
          ...['age-seconds', new Double((nowMs - entry.timeMs) / 1000), 'client-info', entry.clientInfo],
        ]),
    );
}

function aclFile(server: Pick<NodeContext, 'configuration'>): string {
  const path = server.configuration.text('aclfile');
  if (path === '') throw replies.noAclFile;
  return Buffer.from(path, 'latin1').toString();
}

/** The users of this node's file become those of the cluster. */
const prepareLoad: PrepareUsers = (_request, server, known) => {
  const path = aclFile(server);
  const channelsByDefault = known.channelsByDefault ?? server.users.channelsByDefault;
  try {
    return replacement(server, readUsers(server.access, path, channelsByDefault));
  } catch (error) {
    if (!(error instanceof UserLineError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    const text = Buffer.from((error as Error).message).toString('latin1');
    return new ErrorReply(
      `ERR ${text} WARNING: ACL errors detected, no change to the previously active ACL rules was performed`,
    );
  }
};

/** In one step, so that EXEC saves what its commands before have made. */
function save(_request: Request, _connection: Client, server: NodeContext): Reply {
  const path = aclFile(server);
  try {
    writeUsers(server.access, path);
    return OK;
  } catch (error) {
    server.log.warning(`ACL SAVE: ${(error as Error).message}`, { event: 'acl-save-failed' });
    return new ErrorReply(
      'ERR There was an error trying to save the ACLs. Please check the server logs for more information',
    );
  }
}

function genpass(request: Request): Reply {
  if (request.count > 3) throw replies.unknownArguments(request.latin1(1), 'ACL');
  const bits = request.count === 3 ? request.integer(2) : 256;
  if (bits <= 0 || bits > 4096) {
    throw new ErrorReply(
      'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096',
    );
  }
  const digits = Math.ceil(bits / 4);
  return randomBytes(Math.ceil(digits / 2))
    .toString('hex')
    .slice(0, digits);
}

const help = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  containerHelp(server.catalog.get('acl')!);

const facts: Pick<Facts, 'flags' | 'group' | 'since'> = {
  flags: ['noscript', 'loading', 'stale'],
  group: 'server',
  since: '6.0.0',
};
const admin: Pick<Facts, 'flags' | 'group' | 'since'> = {
  ...facts,
  flags: ['admin', 'noscript', 'loading', 'stale'],
};

/** Every row of the family. */
export const aclCommands = [
  container(
    {
      name: 'acl',
      arity: -2,
      group: 'server',
      since: '6.0.0',
      complexity: 'Depends on the subcommand',
      summary: 'Looks at users and what they may do.',
    },
    [
      immediate(
        {
          ...facts,
          name: 'acl|cat',
          arity: -2,
          summary: 'Lists the command categories, or the commands of one.',
          syntax: '[categoryname]',
        },
        cat,
      ),
      administering(
        {
          ...admin,
          name: 'acl|deluser',
          arity: -3,
          tips: [],
          complexity: 'O(N), N users',
          summary: 'Deletes users, and ends their connections.',
          syntax: 'username ...',
        },
        prepareDeletion,
      ),
      immediate(
        {
          ...admin,
          name: 'acl|dryrun',
          arity: -4,
          since: '7.0.0',
          summary: 'Says whether a user may run a command.',
          syntax: 'username command [arg ...]',
        },
        dryrun,
      ),
      immediate(
        {
          ...facts,
          name: 'acl|genpass',
          arity: -2,
          summary: 'Returns a random password.',
          syntax: '[bits:integer]',
        },
        genpass,
      ),
      immediate(
        {
          ...admin,
          name: 'acl|getuser',
          arity: 3,
          complexity: 'O(N), N passwords and rules',
          summary: 'Returns the rules of a user.',
          syntax: 'username',
        },
        getuser,
      ),
      immediate(
        {
          ...facts,
          name: 'acl|help',
          arity: 2,
          flags: ['loading', 'stale'],
          summary: 'Lists the subcommands.',
        },
        help,
      ),
      immediate(
        {
          ...admin,
          name: 'acl|list',
          arity: 2,
          complexity: 'O(N), N users',
          summary: 'Returns the rules of all users.',
        },
        list,
      ),
      administering(
        {
          ...admin,
          name: 'acl|load',
          arity: 2,
          complexity: 'O(N), N users',
          summary: 'Takes the users of the ACL file.',
        },
        prepareLoad,
      ),
      immediate(
        {
          ...admin,
          name: 'acl|log',
          arity: -2,
          complexity: 'O(N), N entries',
          summary: 'Lists what users were denied on this node.',
          syntax: '[operation:<count:integer | RESET>]',
          history: [],
        },
        log,
      ),
      ordered(
        {
          ...admin,
          name: 'acl|save',
          arity: 2,
          complexity: 'O(N), N users',
          summary: 'Writes the users to the ACL file.',
        },
        save,
      ),
      administering(
        {
          ...admin,
          name: 'acl|setuser',
          arity: -3,
          complexity: 'O(N), N rules',
          summary: 'Makes a user, or changes what one may do.',
          syntax: 'username [rule ...]',
        },
        prepareUser,
      ),
      immediate(
        {
          ...admin,
          name: 'acl|users',
          arity: 2,
          complexity: 'O(N), N users',
          summary: 'Returns the names of all users.',
        },
        users,
      ),
      immediate(
        { ...facts, name: 'acl|whoami', arity: 2, summary: 'Returns the user of this connection.' },
        whoami,
      ),
    ],
  ),
];
