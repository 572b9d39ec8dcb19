/**
 * EVAL and its kin, SCRIPT. EVAL and EVALSHA take their place in the log, since what they do is known only
 * when they have run; the read-only ones are reads. The cache of scripts is replicated state.
 */

import { containerHelp } from '../command/catalog-replies.js';
import {
  type Command,
  container,
  type ReadContext,
  read,
  type WriteContext,
  write,
} from '../command/command.js';
import { CommandCatalog, type Facts } from '../command/facts.js';
import type { ScriptRun } from '../command/script-runner.js';
import { ErrorReply, OK, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { writeFlag } from '../scripting/script-session.js';
import type { Database, ReadableDatabase } from '../storage/database.js';

const flushSyntax = new ErrorReply('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
export const notBusy = new ErrorReply('NOTBUSY No scripts in execution right now.');
const noDebugger = new ErrorReply(
  'ERR scripts run on every node of the cluster: there is no debugger for them',
);
const debugSyntax = new ErrorReply('ERR Use SCRIPT DEBUG YES/SYNC/NO');

/** A function that said it does not write was replaced while a call of it waited for its turn to read. */
const functionReplaced = new ErrorReply(
  'TRYAGAIN the function was replaced by one that writes; nothing has run, call it again',
);

const inLog = (database: Database, context: WriteContext): ScriptRun => ({
  database: database.id,
  timeMs: context.timeMs,
  seed: context.random.next(),
  isRead: false,
});

const inRead = (database: ReadableDatabase, context: ReadContext): ScriptRun => ({
  database: database.id,
  timeMs: context.timeMs,
  seed: context.random.next(),
  isRead: true,
});

function scriptFlush(request: Request, _database: Database, context: WriteContext): Reply {
  if (request.count > 3) return flushSyntax;
  if (request.count === 3 && !['SYNC', 'ASYNC'].includes(request.option(2))) return flushSyntax;
  context.keyspace.mutations++;
  context.scripts.flush();
  return OK;
}

function scriptExists(request: Request, _database: ReadableDatabase, context: ReadContext): Reply {
  const found: number[] = [];
  for (let i = 2; i < request.count; i++)
    found.push(context.scripts.has(request.option(i).toLowerCase()) ? 1 : 0);
  return found;
}

function scriptDebug(request: Request): Reply {
  switch (request.option(2)) {
    case 'NO':
      return OK;
    case 'YES':
    case 'SYNC':
      return noDebugger;
    default:
      return debugSyntax;
  }
}

const ofScripts = { group: 'scripting', complexity: 'Depends on the script' } as const;
const runFlags = ['noscript', 'stale', 'skip_monitor', 'no_mandatory_keys'] as const;
const arguments_ = 'numkeys:integer [key ...] [arg:string ...]';

const readOnly = (facts: Pick<Facts, 'name' | 'summary' | 'syntax' | 'keys'>): Facts => ({
  ...ofScripts,
  ...facts,
  arity: -3,
  flags: runFlags,
  categories: ['scripting'],
  since: '7.0.0',
});

const scriptHelp = (): Reply => containerHelp(new CommandCatalog([script]).get('script')!);

const script = container(
  {
    ...ofScripts,
    name: 'script',
    arity: -2,
    since: '2.6.0',
    complexity: 'Depends on the subcommand',
    summary: 'Looks after the cache of scripts.',
  },
  [
    read(
      {
        ...ofScripts,
        name: 'script|debug',
        besideKeys: true,
        arity: 3,
        flags: ['noscript'],
        since: '3.2.0',
        complexity: 'O(1)',
        summary: 'Refused: scripts run on every node, where no debugger may hold them.',
        syntax: 'mode:<YES | SYNC | NO>',
      },
      scriptDebug,
    ),
    read(
      {
        ...ofScripts,
        name: 'script|exists',
        besideKeys: true,
        arity: -3,
        flags: ['noscript'],
        since: '2.6.0',
        tips: ['request_policy:all_shards', 'response_policy:agg_logical_and'],
        complexity: 'O(N), N names given',
        summary: 'Tells which scripts are in the cache.',
        syntax: 'sha1:string ...',
      },
      scriptExists,
    ),
    write(
      {
        ...ofScripts,
        name: 'script|flush',
        arity: -2,
        flags: ['noscript'],
        loggedOnly: true,
        since: '2.6.0',
        history: [['6.2.0', 'ASYNC and SYNC']],
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        complexity: 'O(N), N scripts in the cache',
        summary: 'Empties the cache of scripts, on every node.',
        syntax: '[async:<ASYNC | SYNC>@6.2.0]',
      },
      scriptFlush,
    ),
    read(
      {
        ...ofScripts,
        name: 'script|help',
        besideKeys: true,
        arity: 2,
        flags: ['loading', 'stale'],
        since: '5.0.0',
        complexity: 'O(1)',
        summary: 'Describes the subcommands.',
      },
      scriptHelp,
    ),
    read(
      {
        ...ofScripts,
        name: 'script|kill',
        besideKeys: true,
        arity: 2,
        flags: ['noscript', 'allow_busy'],
        since: '2.6.0',
        tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
        complexity: 'O(1)',
        summary: 'Finds no script to end: a bound of steps ends those that run too long.',
      },
      () => notBusy,
    ),
    write(
      {
        ...ofScripts,
        name: 'script|load',
        arity: 3,
        flags: ['noscript', 'stale'],
        loggedOnly: true,
        since: '2.6.0',
        tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
        complexity: 'O(N), N bytes of the source',
        summary: 'Adds a script to the cache, on every node.',
        syntax: 'script:string',
      },
      (request, _database, context) => {
        context.keyspace.mutations++;
        return context.scripts.load(request, 2);
      },
    ),
  ],
);

export const scripting: readonly Command[] = [
  write(
    {
      ...ofScripts,
      name: 'eval',
      arity: -3,
      flags: runFlags,
      loggedOnly: true,
      keys: '#2 RW access update; nobody knows what the script does to its keys: the worst is assumed',
      since: '2.6.0',
      summary: 'Runs a script.',
      syntax: `script:string ${arguments_}`,
    },
    (request, database, context) => context.scripts.evalSource(request, inLog(database, context)),
    {
      isReadNow: (request, scripts) => scripts.evalIsRead(request),
      handler: (request, database, context) => context.scripts.evalSource(request, inRead(database, context)),
    },
  ),
  write(
    {
      ...ofScripts,
      name: 'evalsha',
      arity: -3,
      flags: runFlags,
      loggedOnly: true,
      keys: '#2 RW access update',
      since: '2.6.0',
      summary: 'Runs a script of the cache.',
      syntax: `sha1:string ${arguments_}`,
    },
    (request, database, context) => context.scripts.evalSha(request, inLog(database, context)),
    {
      isReadNow: (request, scripts) => scripts.evalShaIsRead(request),
      handler: (request, database, context) => context.scripts.evalSha(request, inRead(database, context)),
    },
  ),
  read(
    readOnly({
      name: 'eval_ro',
      keys: '#2 RO access; nobody knows what the script does to its keys: that it reads them is assumed',
      summary: 'Runs a script that does not write.',
      syntax: `script:string ${arguments_}`,
    }),
    (request, database, context) => context.scripts.evalSource(request, inRead(database, context)),
  ),
  read(
    readOnly({
      name: 'evalsha_ro',
      keys: '#2 RO access',
      summary: 'Runs a script of the cache that does not write.',
      syntax: `sha1:string ${arguments_}`,
    }),
    (request, database, context) => context.scripts.evalSha(request, inRead(database, context)),
  ),
  script,
];

/** FCALL and FCALL_RO: as EVAL, but for what they call. */
export const functionCalls: readonly Command[] = [
  write(
    {
      ...ofScripts,
      name: 'fcall',
      arity: -3,
      flags: runFlags,
      loggedOnly: true,
      keys: '#2 RW access update; nobody knows what the function does to its keys: the worst is assumed',
      since: '7.0.0',
      summary: 'Calls a function.',
      syntax: `function:string ${arguments_}`,
    },
    (request, database, context) => context.scripts.functions.call(request, inLog(database, context)),
    {
      isReadNow: (request, scripts) => scripts.functions.callIsRead(request),
      handler: (request, database, context) => {
        const reply = context.scripts.functions.call(request, inRead(database, context));
        return reply === writeFlag ? functionReplaced : reply;
      },
    },
  ),
  read(
    readOnly({
      name: 'fcall_ro',
      keys: '#2 RO access; nobody knows what the function does to its keys: that it reads them is assumed',
      summary: 'Calls a function that does not write.',
      syntax: `function:string ${arguments_}`,
    }),
    (request, database, context) => context.scripts.functions.call(request, inRead(database, context)),
  ),
];
