/**
 * The command table's row. Each command is declared once, in its family's file; dispatch, arity errors,
 * COMMAND and its subcommands, the choice between read and write path, what MULTI may queue, the list that
 * conformance covers and docs/COMMANDS.md follow from it.
 */

import type { Random } from '../log/random.js';
import type { GradualReply } from '../protocol/gradual-reply.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import type { Keyspace } from '../storage/keyspace.js';
import type { Facts } from './facts.js';
import type { ScriptRunner } from './script-runner.js';

export type { Facts } from './facts.js';

/** What a read may know besides its request and database. */
export interface ReadContext {
  readonly keyspace: Pick<
    Keyspace,
    'settings' | 'statistics' | 'slab' | 'hashSeed' | 'clockSeconds' | 'countsFrequency'
  > & {
    database(id: number): ReadableDatabase;
  };
  /**
   * Milliseconds since the epoch by which time-to-live replies are reckoned: this node's clock, never below
   * logged time.
   */
  readonly timeMs: number;
  /** For replies that are random (RANDOMKEY, SRANDMEMBER): no state follows from it. */
  readonly random: Random;
  readonly scripts: ScriptRunner;
  /**
   * Takes a reply that comes in slices. A handler returns its result, at once. Undefined where the reply has
   * to stand when the handler returns.
   */
  readonly prolong: ((reply: GradualReply) => Reply) | undefined;
}

/** Who asked: names a client across the cluster. */
export interface Session {
  readonly nodeId: number;
  readonly startId: number;
  readonly counter: number;
}

/** What a write may know besides its request and database. */
export interface WriteContext {
  readonly keyspace: Keyspace;
  /** Logged time: the entry's stamp, milliseconds since the epoch. */
  readonly timeMs: number;
  /** Seeded by the entry: every node draws the same. */
  readonly random: Random;
  readonly scripts: ScriptRunner;
  /**
   * Delivers a message to this node's subscribers of a channel. Nothing of it is state.
   *
   * @returns how many got it on this node; the other nodes' numbers differ, so nothing of the state may
   * follow from it
   */
  publish(channel: View, message: View, isSharded: boolean): number;
  /** Within EXEC, and where nobody can wait, commands do not block. */
  readonly inTransaction: boolean;
  /**
   * Set when a blocked command runs again because this key came into being: it may be served from this key
   * only. The key is there and of the type that the command waits for.
   */
  readonly readyKey: View | undefined;
  /**
   * Makes the session wait for a value of `type` at any of `keys` (latin1, each once) until `deadlineMs` of
   * logged time (0: for ever); the request, or what it was `rewritten` to (a RESP array), will run again. A
   * handler returns its result, at once; never within a transaction, nor when `readyKey` is set.
   */
  block(
    request: Request,
    type: string,
    keys: readonly string[],
    deadlineMs: number,
    rewritten?: Buffer,
  ): Reply;
}

export type ReadHandler = (request: Request, database: ReadableDatabase, context: ReadContext) => Reply;
export type WriteHandler = (request: Request, database: Database, context: WriteContext) => Reply;

/** What the hot path asks of a row, looked up in its flags once. */
interface Traits {
  /** Names the row within this process: what is counted for each command is kept in arrays, by this. */
  readonly id: number;
  readonly blocking: boolean;
  /** Whether a request of a blocking command may wait; undefined where each of them may. */
  readonly mayWait: ((request: Request) => boolean) | undefined;
  /** Neither fast nor O(1): worth a look at the clock, which costs 60 ns. */
  readonly mayBeSlow: boolean;
  /** May run before AUTH. */
  readonly noAuth: boolean;
  /** Runs before the keys are there. */
  readonly whileLoading: boolean;
  /** Looks keys up to read them, be it to write another: what it does not find is a miss. */
  readonly looksToRead: boolean;
  /** Refused when memory is full. */
  readonly denyOutOfMemory: boolean;
  /** May not be queued by MULTI. */
  readonly noMulti: boolean;
  /** Its reply may come in slices. */
  readonly mayBeGradual: boolean;
  /** Runs a script, which may call other commands. */
  readonly runsScripts: boolean;
  /** Whether a request for this row is one for {@link readRow} instead. */
  readonly isRead: ((request: Request) => boolean) | undefined;
  readonly readRow: ReadCommand | undefined;
  /**
   * Whether the state says that a request is one for {@link readRow}, as long as it stays as it is. For who
   * sends a request on its way: apply never asks.
   */
  readonly isReadNow: ((request: Request, scripts: ScriptRunner) => boolean) | undefined;
}

/**
 * What a read that finds nothing does when it was told to wait: its handler answers BLOCKED, and it goes to
 * the log.
 */
export interface WaitingRead {
  /** Whether a request tells it to. */
  mayWait(request: Request): boolean;
  /** Runs in the log to begin the wait, and again when a key becomes ready. */
  readonly run: WriteHandler;
}

export interface ReadCommand extends Facts, Traits {
  readonly kind: 'read';
  readonly handler: ReadHandler;
  readonly wait: WaitingRead | undefined;
}

export interface WriteCommand extends Facts, Traits {
  readonly kind: 'write';
  readonly handler: WriteHandler;
}

/**
 * A command that writes only if its arguments say so. Requests that do not are reads, and take their path.
 */
export interface ReadForm {
  /** Whether a request, whose arity is right, changes nothing whatever the keyspace holds. */
  readonly isRead: (request: Request) => boolean;
  /** What the request answers then: the same as the write's handler. */
  readonly handler: ReadHandler;
}

/** A command of which the state tells whether a request changes nothing: as scripts say of themselves. */
export interface StateReadForm {
  readonly isReadNow: (request: Request, scripts: ScriptRunner) => boolean;
  /** Runs later, perhaps, on another state: it must change nothing then, either. */
  readonly handler: ReadHandler;
}

/** A command of the program (connection, server, cluster): the engine never runs it. */
export interface OtherCommand<Handler = unknown> extends Facts, Traits {
  readonly kind: 'other';
  readonly handler: Handler;
}

/** A name that its subcommands give meaning to. */
export interface Container extends Facts {
  readonly kind: 'container';
  readonly subcommands: readonly Command[];
  /** What the name does alone: only COMMAND does something. */
  readonly alone?: OtherCommand;
}

export type Command = ReadCommand | WriteCommand | OtherCommand | Container;

/** The writes that look keys up as reads do (by what redis-server 7.0.15 counts as misses). */
const READING_WRITES: ReadonlySet<string> = new Set([
  'bitop',
  'copy',
  'georadius',
  'georadiusbymember',
  'geosearchstore',
  'getdel',
  'getex',
  'getset',
  'pfmerge',
  'sdiffstore',
  'set',
  'sinterstore',
  'sort',
  'sunionstore',
  'xack',
  'xautoclaim',
  'xclaim',
  'xreadgroup',
  'zdiffstore',
  'zinterstore',
  'zrangestore',
  'zunionstore',
]);

const SCRIPT_RUNNERS: ReadonlySet<string> = new Set([
  'eval',
  'evalsha',
  'eval_ro',
  'evalsha_ro',
  'fcall',
  'fcall_ro',
]);

let nextId = 0;

/**
 * Every row has the same fields in the same order, those that are not stated too: to V8 they are then of one
 * shape, and what reads a row need not look up where its fields lie (some 5 ns each).
 */
const runnable = <Kind extends string, Handler>(
  facts: Facts,
  kind: Kind,
  handler: Handler,
  wait?: WaitingRead,
  id = nextId++,
  isRead: Traits['isRead'] = undefined,
  readRow: Traits['readRow'] = undefined,
  isReadNow: Traits['isReadNow'] = undefined,
  mayWait: Traits['mayWait'] = wait?.mayWait,
) => {
  const { flags = [], complexity = 'O(1)' } = facts;
  return {
    name: facts.name,
    arity: facts.arity,
    kind,
    handler,
    wait,
    id,
    mayBeSlow: !flags.includes('fast') && complexity !== 'O(1)',
    blocking: flags.includes('blocking'),
    mayWait,
    looksToRead: kind === 'read' || READING_WRITES.has(facts.name),
    noAuth: flags.includes('no_auth'),
    whileLoading: flags.includes('loading'),
    denyOutOfMemory: flags.includes('denyoom'),
    noMulti: flags.includes('no_multi'),
    mayBeGradual: facts.name === 'dump',
    runsScripts: SCRIPT_RUNNERS.has(facts.name),
    isRead,
    readRow,
    isReadNow,
    flags: facts.flags,
    loggedOnly: facts.loggedOnly,
    besideKeys: facts.besideKeys,
    keys: facts.keys,
    categories: facts.categories,
    group: facts.group,
    since: facts.since,
    tips: facts.tips,
    docFlags: facts.docFlags,
    deprecatedSince: facts.deprecatedSince,
    replacedBy: facts.replacedBy,
    history: facts.history,
    complexity: facts.complexity,
    summary: facts.summary,
    syntax: facts.syntax,
  } satisfies Record<keyof Facts, unknown> & Traits & { kind: Kind; handler: Handler; wait: unknown };
};

export const read = (facts: Facts, handler: ReadHandler, wait?: WaitingRead): ReadCommand =>
  runnable(facts, 'read', handler, wait);
export const write = (
  facts: Facts,
  handler: WriteHandler,
  readForm?: ReadForm | StateReadForm,
): WriteCommand => {
  if (readForm === undefined) return runnable(facts, 'write', handler);
  const id = nextId++;
  const readRow = runnable(facts, 'read', readForm.handler, undefined, id);
  const isRead = 'isRead' in readForm ? readForm.isRead : undefined;
  const isReadNow = 'isReadNow' in readForm ? readForm.isReadNow : undefined;
  return runnable(facts, 'write', handler, undefined, id, isRead, readRow, isReadNow);
};
/** A write that waits only if its arguments say so. */
export const waitingWrite = (
  facts: Facts,
  handler: WriteHandler,
  mayWait: (request: Request) => boolean,
): WriteCommand =>
  runnable(facts, 'write', handler, undefined, nextId++, undefined, undefined, undefined, mayWait);
export const other = <Handler>(facts: Facts, handler: Handler): OtherCommand<Handler> =>
  runnable(facts, 'other', handler);
/** `handler` is for a name that runs without a subcommand too. */
export const container = (facts: Facts, subcommands: readonly Command[], handler?: unknown): Container => ({
  ...facts,
  kind: 'container',
  subcommands,
  ...(handler === undefined ? {} : { alone: other(facts, handler) }),
});
