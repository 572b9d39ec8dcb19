/** ACL, as far as client libraries ask: there is one user, who may do everything. */

import { createHash, randomBytes } from 'node:crypto';
import { containerHelp } from '../../engine/command/catalog-replies.js';
import { aclCategories, isAclCategory } from '../../engine/command/facts.js';
import {
  container,
  ErrorReply,
  type Facts,
  MapReply,
  quoted,
  type Reply,
  type Request,
  SetReply,
} from '../../engine/index.js';
import type { Connection } from '../client/connection.js';
import { DEFAULT_USER } from '../client/description.js';
import { replies } from '../replies.js';
import type { Server } from '../server.js';
import { immediate } from './program-command.js';

function cat(request: Request, _connection: Connection, server: Server): Reply {
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

const whoami = (): Reply => DEFAULT_USER;
const users = (): Reply => [DEFAULT_USER];

function passwordHashes(server: Server): string[] {
  return server.password === '' ? [] : [createHash('sha256').update(server.password, 'latin1').digest('hex')];
}

function list(_request: Request, _connection: Connection, server: Server): Reply {
  const secret = passwordHashes(server).map((hash) => `#${hash}`)[0] ?? 'nopass';
  return [`user ${DEFAULT_USER} on ${secret} ~* &* +@all`];
}

function getuser(request: Request, _connection: Connection, server: Server): Reply {
  if (request.latin1(2) !== DEFAULT_USER) return null;
  const passwords = passwordHashes(server);
  const flags = passwords.length === 0 ? ['on', 'nopass'] : ['on'];
  return new MapReply([
    ...['flags', new SetReply(flags), 'passwords', passwords, 'commands', '+@all'],
    ...['keys', '~*', 'channels', '&*', 'selectors', []],
  ]);
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

const help = (_request: Request, _connection: Connection, server: Server): Reply =>
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
