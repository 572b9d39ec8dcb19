/** FUNCTION, FCALL and FCALL_RO: libraries of functions, which are replicated state. */
import { containerHelp } from '../command/catalog-replies.js';
import {
  type Command,
  container,
  type ReadContext,
  read,
  type WriteContext,
  write,
} from '../command/command.js';
import { CommandCatalog } from '../command/facts.js';
import type { LibraryInfo } from '../command/script-runner.js';
import { globMatches } from '../glob.js';
import { ErrorReply, MapReply, OK, type Reply, SetReply, Status } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { viewOf } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { functionCalls, notBusy } from './scripting.js';

const replies = {
  notFound: new ErrorReply('ERR Library not found'),
  flushSyntax: new ErrorReply('ERR FUNCTION FLUSH only supports SYNC|ASYNC option'),
  policy: new ErrorReply('ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.'),
  noName: new ErrorReply('ERR library name argument was not given'),
};

const wrongNumber = (request: Request): ErrorReply =>
  new ErrorReply(
    `ERR unknown subcommand or wrong number of arguments for '${request.latin1(1).slice(0, 128)}'. Try FUNCTION HELP.`,
  );

function load(request: Request, _database: Database, context: WriteContext): Reply {
  const last = request.count - 1;
  let replaces = false;
  for (let i = 2; i < last; i++) {
    if (!request.is(i, 'REPLACE')) return new ErrorReply(`ERR Unknown option given: ${request.latin1(i)}`);
    replaces = true;
  }
  context.keyspace.mutations++;
  return context.scripts.functions.load(request.latin1(last), replaces);
}

function deleteLibrary(request: Request, _database: Database, context: WriteContext): Reply {
  context.keyspace.mutations++;
  return context.scripts.functions.delete(request.latin1(2)) ? OK : replies.notFound;
}

function flush(request: Request, _database: Database, context: WriteContext): Reply {
  if (request.count > 3) return wrongNumber(request);
  if (request.count === 3 && !['SYNC', 'ASYNC'].includes(request.option(2))) return replies.flushSyntax;
  context.keyspace.mutations++;
  context.scripts.functions.flush();
  return OK;
}

function restore(request: Request, _database: Database, context: WriteContext): Reply {
  if (request.count > 4) return wrongNumber(request);
  const policy = request.count === 4 ? request.option(3).toLowerCase() : 'append';
  if (policy !== 'append' && policy !== 'replace' && policy !== 'flush') return replies.policy;
  context.keyspace.mutations++;
  context.scripts.functions.restore(request.view(2), policy);
  return OK;
}

function list(request: Request, _database: ReadableDatabase, context: ReadContext): Reply {
  let withCode = false;
  let pattern: string | undefined;
  for (let i = 2; i < request.count; i++) {
    if (!withCode && request.is(i, 'WITHCODE')) withCode = true;
    else if (pattern === undefined && request.is(i, 'LIBRARYNAME')) {
      if (++i === request.count) return replies.noName;
      pattern = request.latin1(i);
    } else return new ErrorReply(`ERR Unknown argument ${request.latin1(i)}`);
  }
  const view = pattern === undefined ? undefined : viewOf(pattern);
  return context.scripts.functions
    .all()
    .filter(({ name }) => view === undefined || globMatches(view, viewOf(name), true))
    .map((library) => describe(library, withCode));
}

function describe({ name, code, functions }: LibraryInfo, withCode: boolean): Reply {
  const described = functions.map(
    (one) =>
      new MapReply([
        ...['name', one.name],
        ...['description', one.description ?? null],
        ...['flags', new SetReply(one.flags.map((flag) => new Status(flag)))],
      ]),
  );
  return new MapReply([
    ...['library_name', name],
    ...['engine', 'LUA'],
    ...['functions', described],
    ...(withCode ? ['library_code', code] : []),
  ]);
}

function stats(_request: Request, _database: ReadableDatabase, context: ReadContext): Reply {
  const libraries = context.scripts.functions.all();
  const functions = libraries.reduce((count, library) => count + library.functions.length, 0);
  const counts = new MapReply([...['libraries_count', libraries.length], ...['functions_count', functions]]);
  return new MapReply(['running_script', null, 'engines', new MapReply(['LUA', counts])]);
}

const ofFunctions = { group: 'scripting', since: '7.0.0' } as const;
const everywhere = ['request_policy:all_shards', 'response_policy:all_succeeded'] as const;

const functionHelp = (): Reply => containerHelp(new CommandCatalog([libraries]).get('function')!);

const libraries = container(
  {
    ...ofFunctions,
    name: 'function',
    arity: -2,
    complexity: 'Depends on the subcommand',
    summary: 'Looks after libraries of functions.',
  },
  [
    write(
      {
        ...ofFunctions,
        name: 'function|delete',
        arity: 3,
        flags: ['noscript'],
        tips: everywhere,
        complexity: 'O(N), N functions of the library',
        summary: 'Deletes a library with its functions, on every node.',
        syntax: 'library-name:string',
      },
      deleteLibrary,
    ),
    read(
      {
        ...ofFunctions,
        name: 'function|dump',
        besideKeys: true,
        arity: 2,
        flags: ['noscript'],
        complexity: 'O(N), N libraries',
        summary: 'Serializes all libraries.',
      },
      (_request, _database, context) => context.scripts.functions.dump(),
    ),
    write(
      {
        ...ofFunctions,
        name: 'function|flush',
        arity: -2,
        flags: ['noscript'],
        tips: everywhere,
        complexity: 'O(N), N functions',
        summary: 'Deletes all libraries, on every node.',
        syntax: '[async:<ASYNC | SYNC>]',
      },
      flush,
    ),
    read(
      {
        ...ofFunctions,
        name: 'function|help',
        besideKeys: true,
        arity: 2,
        flags: ['loading', 'stale'],
        complexity: 'O(1)',
        summary: 'Describes the subcommands.',
      },
      functionHelp,
    ),
    read(
      {
        ...ofFunctions,
        name: 'function|kill',
        besideKeys: true,
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
        complexity: 'O(1)',
        summary: 'Finds no function to end: a bound of steps ends those that run too long.',
      },
      () => notBusy,
    ),
    read(
      {
        ...ofFunctions,
        name: 'function|list',
        besideKeys: true,
        arity: -2,
        flags: ['noscript'],
        tips: ['nondeterministic_output_order'],
        complexity: 'O(N), N functions',
        summary: 'Lists libraries and their functions.',
        syntax: '[LIBRARYNAME library-name-pattern:string] [WITHCODE]',
      },
      list,
    ),
    write(
      {
        ...ofFunctions,
        name: 'function|load',
        arity: -3,
        flags: ['denyoom', 'noscript'],
        tips: everywhere,
        complexity: 'O(N), N bytes of the code',
        summary: 'Adds a library, on every node.',
        syntax: '[replace=REPLACE] function-code:string',
      },
      load,
    ),
    write(
      {
        ...ofFunctions,
        name: 'function|restore',
        arity: -3,
        flags: ['denyoom', 'noscript'],
        tips: everywhere,
        complexity: 'O(N), N libraries of the payload',
        summary: 'Adds the libraries that a payload holds, on every node.',
        syntax: 'serialized-value:string [policy:<FLUSH | APPEND | REPLACE>]',
      },
      restore,
    ),
    read(
      {
        ...ofFunctions,
        name: 'function|stats',
        besideKeys: true,
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
        complexity: 'O(N), N libraries',
        summary: 'Counts libraries and functions.',
      },
      stats,
    ),
  ],
);

export const functions: readonly Command[] = [...functionCalls, libraries];
