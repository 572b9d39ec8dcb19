/** COMMAND: what the server says about its own commands. */
import { container, other } from '../../engine/command.js';
import type { CommandCatalog } from '../../engine/command-facts.js';
import {
  commandCount,
  commandDocs,
  commandGetKeys,
  commandInfo,
  commandList,
  containerHelp,
} from '../../engine/command-replies.js';
import type { Reply } from '../../engine/reply.js';
import type { Request } from '../../engine/request.js';

/** What the handlers need of the program. */
export interface CommandContext {
  readonly catalog: CommandCatalog;
  /** Redis's glob, ignoring case. */
  matchesIgnoringCase(pattern: string, text: string): boolean;
}

export type CommandHandler = (request: Request, context: CommandContext) => Reply;

function argumentsFrom(request: Request, first: number): string[] {
  const args: string[] = [];
  for (let i = first; i < request.count; i++) args.push(request.latin1(i));
  return args;
}

const all: CommandHandler = (_request, { catalog }) => commandInfo(catalog);
const count: CommandHandler = (_request, { catalog }) => commandCount(catalog);
const docs: CommandHandler = (request, { catalog }) => commandDocs(catalog, argumentsFrom(request, 2));
const getKeys: CommandHandler = (request, { catalog }) =>
  commandGetKeys(catalog, argumentsFrom(request, 2), false);
const getKeysAndFlags: CommandHandler = (request, { catalog }) =>
  commandGetKeys(catalog, argumentsFrom(request, 2), true);
const help: CommandHandler = (_request, { catalog }) => containerHelp(catalog.get('command')!);
const info: CommandHandler = (request, { catalog }) => commandInfo(catalog, argumentsFrom(request, 2));
const list: CommandHandler = (request, { catalog, matchesIgnoringCase }) =>
  commandList(catalog, argumentsFrom(request, 2), matchesIgnoringCase);

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
    other(
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
    other(
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
    other(
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
    other(
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
    other(
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
    other(
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
    other(
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
  all,
);
