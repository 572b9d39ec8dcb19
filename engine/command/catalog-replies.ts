/**
 * What COMMAND and its subcommands answer, in the shapes of Redis 7.0
 * (https://redis.io/docs/latest/commands/command/), from the command table's facts. Words are latin1, one
 * char a byte.
 */

import { errors } from '../protocol/errors.js';
import { ErrorReply, MapReply, type Reply, SetReply, Status } from '../protocol/reply.js';
import {
  type AclCategory,
  type CommandCatalog,
  type CommandDescription,
  isAclCategory,
  satisfiesArity,
} from './facts.js';
import { findKeys, type KeySpec } from './key-positions.js';
import { type Argument, displaySyntax } from './syntax.js';

const noSuchCommand = new ErrorReply('ERR Invalid command specified');
const noKeyArguments = new ErrorReply('ERR The command has no key arguments');
const wrongCount = new ErrorReply('ERR Invalid number of arguments specified for command');
const noKeysFound = new ErrorReply('ERR Invalid arguments specified for command');

const statuses = (words: readonly string[]): SetReply => new SetReply(words.map((word) => new Status(word)));

/** COMMAND, and COMMAND INFO with names: an unknown name's entry is null. */
export function commandInfo(catalog: CommandCatalog, names?: readonly string[]): Reply {
  if (names === undefined || names.length === 0) return catalog.commands.map(infoOf);
  return names.map((name) => {
    const command = catalog.get(name);
    return command === undefined ? null : infoOf(command);
  });
}

/** COMMAND DOCS: a map by full name, unknown names left out. */
export function commandDocs(catalog: CommandCatalog, names: readonly string[]): Reply {
  const commands = names.length === 0 ? catalog.commands : names.map((name) => catalog.get(name));
  return new MapReply(
    commands.flatMap((command) => (command === undefined ? [] : [command.name, docsOf(command)])),
  );
}

/** COMMAND COUNT: subcommands do not count. */
export function commandCount(catalog: CommandCatalog): Reply {
  return catalog.commands.length;
}

/**
 * COMMAND LIST.
 * @param args what follows LIST: nothing, or FILTERBY, the kind of filter and its value.
 * @param matches Redis's glob, ignoring case.
 */
export function commandList(
  catalog: CommandCatalog,
  args: readonly string[],
  matches: (pattern: string, text: string) => boolean,
): Reply {
  let filter: (command: CommandDescription) => boolean = () => true;
  if (args.length > 0) {
    if (args.length !== 3 || args[0].toLowerCase() !== 'filterby') return errors.syntax;
    const value = args[2];
    switch (args[1].toLowerCase()) {
      case 'module':
        filter = () => false;
        break;
      case 'aclcat': {
        const category = value.toLowerCase();
        if (!isAclCategory(category)) return [];
        filter = (command) => command.categories.includes(category as AclCategory);
        break;
      }
      case 'pattern':
        filter = (command) => matches(value, command.name);
        break;
      default:
        return errors.syntax;
    }
  }
  const names: string[] = [];
  for (const command of catalog.all()) if (filter(command)) names.push(command.name);
  return names;
}

/** COMMAND GETKEYS and, with `withFlags`, COMMAND GETKEYSANDFLAGS of the command `args`. */
export function commandGetKeys(catalog: CommandCatalog, args: readonly string[], withFlags: boolean): Reply {
  const command = catalog.resolve(args);
  if (command === undefined) return noSuchCommand;
  if (command.keySpecs.length === 0) return noKeyArguments;
  if (!satisfiesArity(command.facts.arity, args.length)) return wrongCount;
  const keys = findKeys(command.name, command.keySpecs, args) ?? [];
  if (keys.length === 0 && !command.flags.includes('no_mandatory_keys')) return noKeysFound;
  return keys.map(({ position, flags }) => (withFlags ? [args[position], statuses(flags)] : args[position]));
}

/** HELP of a container: its subcommands with their arguments, and below each what it does. */
export function containerHelp(container: CommandDescription): Reply {
  const lines = [`${container.name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  const isHelp = (command: CommandDescription): boolean => command.name.endsWith('|help');
  for (const subcommand of [...container.subcommands].sort((a, b) => Number(isHelp(a)) - Number(isHelp(b)))) {
    const word = subcommand.name.slice(container.name.length + 1).toUpperCase();
    lines.push(`${word} ${displaySyntax(subcommand.arguments)}`.trimEnd(), `    ${subcommand.facts.summary}`);
  }
  return lines.map((line) => new Status(line));
}

function infoOf(command: CommandDescription): Reply {
  const { first, last, step } = command.keyRange;
  return [
    command.name,
    command.facts.arity,
    statuses(command.flags),
    first,
    last,
    step,
    statuses(command.categories.map((category) => `@${category}`)),
    new SetReply(command.facts.tips ?? []),
    new SetReply(command.keySpecs.map(keySpecOf)),
    command.subcommands.length === 0 ? new SetReply([]) : command.subcommands.map(infoOf),
  ];
}

function keySpecOf({ notes, flags, begin, find }: KeySpec): Reply {
  return new MapReply([
    ...(notes === undefined ? [] : ['notes', notes]),
    'flags',
    statuses(flags),
    'begin_search',
    new MapReply(['type', begin.type, 'spec', new MapReply(beginDetails(begin))]),
    'find_keys',
    new MapReply(['type', find.type, 'spec', new MapReply(findDetails(find))]),
  ]);
}

function beginDetails(begin: KeySpec['begin']): Reply[] {
  if (begin.type === 'index') return ['index', begin.index];
  return begin.type === 'keyword' ? ['keyword', begin.keyword, 'startfrom', begin.startFrom] : [];
}

function findDetails(find: KeySpec['find']): Reply[] {
  if (find.type === 'range') return ['lastkey', find.lastKey, 'keystep', find.step, 'limit', find.limit];
  return find.type === 'keynum' ? ['keynumidx', 0, 'firstkey', 1, 'keystep', 1] : [];
}

function docsOf(command: CommandDescription): Reply {
  const { facts } = command;
  const docFlags = [
    ...(facts.deprecatedSince === undefined ? [] : ['deprecated']),
    ...(facts.docFlags ?? []),
  ];
  const items: Reply[] = ['summary', facts.summary, 'since', facts.since, 'group', facts.group];
  items.push('complexity', facts.complexity ?? 'O(1)');
  if (docFlags.length > 0) items.push('doc_flags', statuses(docFlags));
  if (facts.deprecatedSince !== undefined) items.push('deprecated_since', facts.deprecatedSince);
  if (facts.replacedBy !== undefined) items.push('replaced_by', facts.replacedBy);
  if (facts.history !== undefined) items.push('history', new SetReply(facts.history));
  if (command.arguments.length > 0) items.push('arguments', command.arguments.map(argumentOf));
  if (command.subcommands.length > 0) {
    const members = command.subcommands.flatMap((subcommand) => [subcommand.name, docsOf(subcommand)]);
    items.push('subcommands', new MapReply(members));
  }
  return new MapReply(items);
}

function argumentOf(argument: Argument): Reply {
  const flags: string[] = [];
  if (argument.optional) flags.push('optional');
  if (argument.multiple) flags.push('multiple');
  if (argument.multipleToken) flags.push('multiple_token');
  const items: Reply[] = ['name', argument.name, 'type', argument.type];
  if (argument.keySpecIndex !== undefined) items.push('key_spec_index', argument.keySpecIndex);
  if (argument.token !== undefined) items.push('token', argument.token);
  if (argument.since !== undefined) items.push('since', argument.since);
  if (argument.deprecatedSince !== undefined) items.push('deprecated_since', argument.deprecatedSince);
  if (flags.length > 0) items.push('flags', statuses(flags));
  if (argument.arguments !== undefined) items.push('arguments', argument.arguments.map(argumentOf));
  return new MapReply(items);
}
