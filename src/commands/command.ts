/** COMMAND: what the server says about its own commands. */

import {
  type CommandCatalog,
  commandCount,
  commandDocs,
  commandGetKeys,
  commandInfo,
  commandList,
  container,
  containerHelp,
  type Reply,
} from '../../engine/index.js';
import { matchesIgnoringCase } from '../config/text-glob.js';
import { immediate, type ProgramCommandHandler, type ProgramHandler } from './program-command.js';

type Answer = (catalog: CommandCatalog, args: readonly string[]) => Reply;

/** A handler that answers from the server's catalog and the arguments behind the subcommand. */
const answers =
  (answer: Answer): ProgramHandler =>
  (request, _connection, server) => {
    const args: string[] = [];
    for (let i = 2; i < request.count; i++) args.push(request.latin1(i));
    return answer(server.catalog, args);
  };

const all = answers((catalog) => commandInfo(catalog));
const count = answers((catalog) => commandCount(catalog));
const docs = answers((catalog, args) => commandDocs(catalog, args));
const getKeys = answers((catalog, args) => commandGetKeys(catalog, args, false));
const getKeysAndFlags = answers((catalog, args) => commandGetKeys(catalog, args, true));
const help = answers((catalog) => containerHelp(catalog.get('command')!));
const info = answers((catalog, args) => commandInfo(catalog, args));
const list = answers((catalog, args) => commandList(catalog, args, matchesIgnoringCase));

export const commandContainer = container(
  {
    name: 'command',
    arity: -1,
    flags: ['loading', 'stale'],
    categories: ['connection'],
    group: 'server',
    since: '2.8.13',
    tips: ['nondeterministic_output_order'],
    complexity: 'O(N), N commands',
    summary: 'Describes all commands.',
  },
  [
    immediate(
      {
        name: 'command|count',
        arity: 2,
        flags: ['loading', 'stale'],
        categories: ['connection'],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(1)',
        summary: 'Returns the number of commands.',
      },
      count,
    ),
    immediate(
      {
        name: 'command|docs',
        arity: -2,
        flags: ['loading', 'stale'],
        categories: ['connection'],
        group: 'server',
        since: '7.0.0',
        tips: ['nondeterministic_output_order'],
        complexity: 'O(N), N commands',
        summary: 'Returns the documentation of commands.',
        syntax: '[command-name ...]',
      },
      docs,
    ),
    immediate(
      {
        name: 'command|getkeys',
        arity: -4,
        flags: ['loading', 'stale'],
        categories: ['connection'],
        group: 'server',
        since: '2.8.13',
        complexity: 'O(N), N arguments',
        summary: 'Returns the keys among the arguments of a command.',
      },
      getKeys,
    ),
    immediate(
      {
        name: 'command|getkeysandflags',
        arity: -4,
        flags: ['loading', 'stale'],
        categories: ['connection'],
        group: 'server',
        since: '7.0.0',
        complexity: 'O(N), N arguments',
        summary: 'Returns the keys among the arguments of a command and what it does to them.',
      },
      getKeysAndFlags,
    ),
    immediate(
      {
        name: 'command|help',
        arity: 2,
        flags: ['loading', 'stale'],
        categories: ['connection'],
        group: 'server',
        since: '5.0.0',
        complexity: 'O(1)',
        summary: 'Lists the subcommands.',
      },
      help,
    ),
    immediate(
      {
        name: 'command|info',
        arity: -2,
        flags: ['loading', 'stale'],
        categories: ['connection'],
        group: 'server',
        since: '2.8.13',
        tips: ['nondeterministic_output_order'],
        history: [['7.0.0', 'Without arguments it describes all.']],
        complexity: 'O(N), N commands',
        summary: 'Describes commands.',
        syntax: '[command-name ...]',
      },
      info,
    ),
    immediate(
      {
        name: 'command|list',
        arity: -2,
        flags: ['loading', 'stale'],
        categories: ['connection'],
        group: 'server',
        since: '7.0.0',
        tips: ['nondeterministic_output_order'],
        complexity: 'O(N), N commands',
        summary: 'Lists the names of commands.',
        syntax: '[FILTERBY filterby:<MODULE module-name | ACLCAT category | PATTERN pattern:pattern>]',
      },
      list,
    ),
  ],
  { run: all, ordered: false } satisfies ProgramCommandHandler,
);
