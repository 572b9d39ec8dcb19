/**
 * The client that `engine.call` is: its database, its transaction, the keys that it watches and what it
 * subscribes to.
 */

import { commandCount, commandDocs, commandInfo, commandList } from './command/catalog-replies.js';
import type { CommandTable } from './command/command-table.js';
import { CommandCatalog } from './command/facts.js';
import { globMatches } from './glob.js';
import type { WatchedKey } from './log/entry.js';
import { errors } from './protocol/errors.js';
import { detach, ErrorReply, NULL_ARRAY, OK, QUEUED, type Reply, Status } from './protocol/reply.js';
import { type Argument, type Request, RequestBuilder } from './protocol/request.js';
import { View } from './protocol/view.js';
import type { Keyspace } from './storage/keyspace.js';

/** Told of each message. `raw` has its bytes, where they are no UTF-8. */
export type MessageCallback = (message: string, channel: string, raw: Buffer) => void;

/** What it asks of its engine. */
export interface LocalEngine {
  readonly keyspace: Keyspace;
  readonly table: CommandTable;
  /** Runs a command of the engine's own. */
  callRaw(database: number, args: readonly Argument[]): Reply;
  select(request: Request): number | ErrorReply;
}

interface Subscription {
  readonly name: Buffer;
  readonly isPattern: boolean;
  readonly callback: MessageCallback;
}

interface Message {
  readonly subscription: Subscription;
  readonly channel: Buffer;
  readonly bytes: Buffer;
}

interface LocalCommand {
  /** As in Redis's tables: the name counts, and a negative number is the least. */
  readonly arity: number;
  /** Whether it runs within MULTI instead of being queued. */
  readonly controls?: boolean;
  readonly run: (client: LocalClient, request: Request) => Reply;
}

const PONG = new Status('PONG');
const RESET = new Status('RESET');

export class LocalClient {
  database = 0;
  private queued: (readonly Argument[])[] | undefined;
  private hasFailed = false;
  private watched: WatchedKey[] = [];
  private name = '';
  private readonly subscriptions = new Set<Subscription>();
  /** They are handed over when the command that brought them is done: a callback may call the engine. */
  private messages: Message[] = [];
  private commandCatalog: CommandCatalog | undefined;
  private readonly builder = new RequestBuilder();
  private readonly view = new View();

  constructor(private readonly engine: LocalEngine) {}

  /** Whether a command is one of connections, which the engine's table does not have. */
  static knows(name: unknown): boolean {
    if (typeof name !== 'string' && !(name instanceof Uint8Array)) return false;
    return localCommands.has(
      Buffer.from(name as string)
        .toString('latin1')
        .toLowerCase(),
    );
  }

  call(args: readonly Argument[]): Reply {
    const reply = this.answer(args);
    if (this.messages.length > 0) this.deliver();
    return reply;
  }

  private answer(args: readonly Argument[]): Reply {
    const request = this.builder.command(args, false);
    const name = request.latin1(0).toLowerCase();
    const local = localCommands.get(name);
    if (this.queued !== undefined && local?.controls !== true) return this.queue(args, request, local);
    if (local === undefined) return this.engine.callRaw(this.database, args);
    return this.runLocal(name, local, request);
  }

  private runLocal(name: string, local: LocalCommand, request: Request): Reply {
    if (local.arity < 0 ? request.count < -local.arity : request.count !== local.arity)
      return errors.wrongArity(name);
    try {
      return local.run(this, request);
    } catch (error) {
      if (error instanceof ErrorReply) return error;
      throw error;
    }
  }

  // ---- transactions ----

  private queue(args: readonly Argument[], request: Request, local: LocalCommand | undefined): Reply {
    const row = local ?? this.engine.table.resolve(request);
    if (row instanceof ErrorReply) {
      this.hasFailed = true;
      return row;
    }
    // What the caller does with its arrays of bytes later on is no part of the transaction.
    this.queued!.push(args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg) : arg)));
    return QUEUED;
  }

  multi(): Reply {
    if (this.queued !== undefined) return errors.nestedMulti;
    this.queued = [];
    return OK;
  }

  exec(): Reply {
    const { queued, watched, engine } = this;
    const aborts = this.hasFailed;
    if (queued === undefined) return errors.execWithoutMulti;
    this.endTransaction();
    if (aborts) return errors.execAborted;
    const hasChanged = watched.some(({ database, key, position, existed }) =>
      engine.keyspace.changedSince(database, this.view.on(key, 0, key.length), position, existed),
    );
    return hasChanged ? NULL_ARRAY : queued.map((args) => detach(this.answer(args)));
  }

  discard(): Reply {
    if (this.queued === undefined) return errors.discardWithoutMulti;
    this.endTransaction();
    return OK;
  }

  private endTransaction(): void {
    this.queued = undefined;
    this.hasFailed = false;
    this.watched = [];
  }

  watch(request: Request): Reply {
    if (this.queued !== undefined) return errors.watchInsideMulti;
    const { keyspace } = this.engine;
    for (let i = 1; i < request.count; i++) {
      const key = request.view(i);
      const existed = keyspace.database(this.database).has(key);
      const bytes = Buffer.from(key.buffer.subarray(key.start, key.end));
      this.watched.push({ database: this.database, key: bytes, position: keyspace.position, existed });
    }
    return OK;
  }

  unwatch(): Reply {
    this.watched = [];
    return OK;
  }

  // ---- state of a connection ----

  select(request: Request): Reply {
    const id = this.engine.select(request);
    if (id instanceof ErrorReply) return id;
    this.database = id;
    return OK;
  }

  reset(): Reply {
    this.endTransaction();
    this.database = 0;
    this.name = '';
    return RESET;
  }

  client(request: Request): Reply {
    if (request.is(1, 'ID') && request.count === 2) return 1;
    if (request.is(1, 'GETNAME') && request.count === 2) return this.name === '' ? null : this.name;
    if (request.is(1, 'SETNAME') && request.count === 3) {
      this.name = request.latin1(2);
      return OK;
    }
    return errors.unknownSubcommand(request.latin1(1), 'CLIENT');
  }

  time(): Reply {
    const { now } = this.engine.keyspace;
    return [`${Math.floor(now / 1000)}`, `${(now % 1000) * 1000}`];
  }

  /** What an engine alone can say. */
  info(request: Request): Reply {
    const { keyspace } = this.engine;
    const { keyspaceHits, keyspaceMisses, expiredKeys, evictedKeys } = keyspace.statistics;
    const sections: readonly (readonly [string, readonly string[]])[] = [
      ['Server', ['redis_version:7.0.15', 'redis_mode:standalone']],
      ['Clients', ['connected_clients:1']],
      [
        'Stats',
        [
          `expired_keys:${expiredKeys}`,
          `evicted_keys:${evictedKeys}`,
          `keyspace_hits:${keyspaceHits}`,
          `keyspace_misses:${keyspaceMisses}`,
          `pubsub_channels:${this.channels().length}`,
          `pubsub_patterns:${this.patterns}`,
        ],
      ],
      ['Replication', ['role:master', 'connected_slaves:0']],
      [
        'Keyspace',
        [...keyspace.used()].filter(({ size }) => size > 0).map(({ id, size }) => `db${id}:keys=${size}`),
      ],
    ];
    const wanted = new Set(Array.from({ length: request.count - 1 }, (_, i) => request.option(i + 1)));
    const isWhole = wanted.size === 0 || ['ALL', 'DEFAULT', 'EVERYTHING'].some((word) => wanted.has(word));
    return sections
      .filter(([title]) => isWhole || wanted.has(title.toUpperCase()))
      .map(([title, lines]) => [`# ${title}`, ...lines, ''].join('\r\n'))
      .join('\r\n');
  }

  command(request: Request): Reply {
    const catalog = this.catalog();
    const names = Array.from({ length: Math.max(0, request.count - 2) }, (_, i) => request.latin1(i + 2));
    if (request.count === 1) return commandInfo(catalog);
    if (request.is(1, 'COUNT')) return commandCount(catalog);
    if (request.is(1, 'INFO')) return commandInfo(catalog, names);
    if (request.is(1, 'DOCS')) return commandDocs(catalog, names);
    if (request.is(1, 'LIST')) return commandList(catalog, names, matchesText);
    return errors.unknownSubcommand(request.latin1(1), 'COMMAND');
  }

  private catalog(): CommandCatalog {
    this.commandCatalog ??= new CommandCatalog(this.engine.table.commands);
    return this.commandCatalog;
  }

  // ---- messages ----

  subscribe(name: string | Uint8Array, isPattern: boolean, callback: MessageCallback): () => void {
    const subscription = { name: Buffer.from(name as string), isPattern, callback };
    this.subscriptions.add(subscription);
    return () => this.subscriptions.delete(subscription);
  }

  /** A message goes to all whom it concerns. Returns how many. */
  publish(channel: View, message: View): number {
    let count = 0;
    for (const subscription of this.subscriptions) {
      if (!concerns(subscription, channel)) continue;
      const bytes = Buffer.from(message.buffer.subarray(message.start, message.end));
      this.messages.push({
        subscription,
        channel: Buffer.from(channel.buffer.subarray(channel.start, channel.end)),
        bytes,
      });
      count++;
    }
    return count;
  }

  private deliver(): void {
    for (const { subscription, channel, bytes } of this.messages.splice(0))
      if (this.subscriptions.has(subscription))
        subscription.callback(bytes.toString(), channel.toString(), bytes);
  }

  pubsub(request: Request): Reply {
    if (request.is(1, 'NUMPAT') && request.count === 2) return this.patterns;
    if (request.is(1, 'CHANNELS') && request.count <= 3) {
      const pattern = request.count === 3 ? request.view(2) : undefined;
      return this.channels().filter((channel) => {
        const bytes = Buffer.from(channel, 'latin1');
        return pattern === undefined || globMatches(pattern, viewOfBytes(bytes));
      });
    }
    if (request.is(1, 'NUMSUB')) {
      const counts: Reply[] = [];
      for (let i = 2; i < request.count; i++) {
        const channel = request.view(i);
        const all = [...this.subscriptions];
        counts.push(
          request.latin1(i),
          all.filter((subscription) => !subscription.isPattern && concerns(subscription, channel)).length,
        );
      }
      return counts;
    }
    return errors.unknownSubcommand(request.latin1(1), 'PUBSUB');
  }

  private channels(): string[] {
    const names = [...this.subscriptions].filter(({ isPattern }) => !isPattern);
    return [...new Set(names.map(({ name }) => name.toString('latin1')))];
  }

  private get patterns(): number {
    return new Set(
      [...this.subscriptions].filter(({ isPattern }) => isPattern).map(({ name }) => name.toString('latin1')),
    ).size;
  }
}

const matchesText = (pattern: string, text: string): boolean =>
  globMatches(viewOfBytes(Buffer.from(pattern, 'latin1')), viewOfBytes(Buffer.from(text, 'latin1')), true);

const viewOfBytes = (bytes: Buffer): View => new View(bytes, 0, bytes.length);

function concerns({ name, isPattern }: Subscription, channel: View): boolean {
  if (isPattern) return globMatches(viewOfBytes(name), channel);
  return name.equals(channel.buffer.subarray(channel.start, channel.end));
}

const needsCallback = (_client: LocalClient, request: Request): Reply =>
  errors.needsCallback(request.latin1(0).toUpperCase());

const localCommands: ReadonlyMap<string, LocalCommand> = new Map<string, LocalCommand>([
  ['ping', { arity: -1, run: (_client, request) => ping(request) }],
  ['echo', { arity: 2, run: (_client, request) => request.latin1(1) }],
  ['select', { arity: 2, run: (client, request) => client.select(request) }],
  ['time', { arity: 1, run: (client) => client.time() }],
  ['info', { arity: -1, run: (client, request) => client.info(request) }],
  ['command', { arity: -1, run: (client, request) => client.command(request) }],
  ['client', { arity: -2, run: (client, request) => client.client(request) }],
  ['multi', { arity: 1, controls: true, run: (client) => client.multi() }],
  ['exec', { arity: 1, controls: true, run: (client) => client.exec() }],
  ['discard', { arity: 1, controls: true, run: (client) => client.discard() }],
  ['watch', { arity: -2, controls: true, run: (client, request) => client.watch(request) }],
  ['unwatch', { arity: 1, run: (client) => client.unwatch() }],
  ['reset', { arity: 1, controls: true, run: (client) => client.reset() }],
  ['quit', { arity: -1, controls: true, run: () => OK }],
  ['pubsub', { arity: -2, run: (client, request) => client.pubsub(request) }],
  ...['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'].map(
    (name): [string, LocalCommand] => [name, { arity: -1, run: needsCallback }],
  ),
]);

function ping(request: Request): Reply {
  if (request.count > 2) return errors.wrongArity('ping');
  return request.count === 2 ? request.latin1(1) : PONG;
}
