/**
 * EXEC: carries out what MULTI has queued on one client, as one item of the log, or as one read where nothing
 * is written.
 */
import {
  BLOCKED,
  DEFAULT_USER,
  detach,
  ErrorReply,
  NULL_ARRAY,
  parseTrusted,
  QUEUED_USERS,
  type Reply,
  Request,
} from '../../engine/index.js';
import type { UserChange } from '../commands/acl-changes.js';
import { channelsAfter } from '../commands/config.js';
import type { ProgramCommand } from '../commands/program-command.js';
import type { ReplyTarget } from '../replication/replica.js';
import { replies } from '../replies.js';
import { encodeRequest } from '../resp/encode-request.js';
import type { ClientHost } from './client-host.js';
import type { ReadPath } from './read-path.js';
import type { RoutedClient } from './routed-client.js';
import { refusedRequest, type Transaction } from './transaction.js';
import { TransactionUsers } from './transaction-users.js';

/** The name and the password by which a command makes its client another user, undefined if it does not. */
function credentialsOf(name: string, request: Request): [name: string, password: string] | undefined {
  if (name === 'auth')
    return request.count === 2 ? [DEFAULT_USER, request.latin1(1)] : [request.latin1(1), request.latin1(2)];
  if (name !== 'hello') return undefined;
  for (let i = 2; i + 2 < request.count; i++)
    if (request.is(i, 'AUTH')) return [request.latin1(i + 1), request.latin1(i + 2)];
  return undefined;
}

const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n');

export class Exec {
  private readonly request = new Request();
  private readonly shown = new Request();

  constructor(
    private readonly connection: RoutedClient,
    private readonly server: ClientHost,
    private readonly reads: ReadPath,
  ) {}

  /**
   * EXEC: its reply, or undefined if that comes later.
   *
   * @param isWatchLost keys were watched where this client's requests do not go any more
   */
  run(isWatchLost: boolean): Reply | undefined {
    const refusal = this.execQueued(isWatchLost);
    if (refusal !== undefined) this.showTransaction([]);
    return refusal;
  }

  /** All that was queued, as one item. */
  private execQueued(isWatchLost: boolean): Reply | undefined {
    const { connection, server } = this;
    const transaction = connection.transaction!;
    const watchedBytes = connection.watched.bytes;
    const watched = connection.watched.take();
    connection.transaction = undefined;
    if (transaction.failed) return replies.execAborted;
    // The keys were watched at a leader that this client has lost: they may have changed.
    if (isWatchLost) return NULL_ARRAY;
    this.judge(transaction);
    if (!transaction.writes && watched.length === 0) {
      this.execReads(transaction);
      return undefined;
    }
    const bytes = transaction.queuedBytes + watchedBytes;
    const refusal = server.refuseWrite(transaction.denyOutOfMemory, bytes);
    if (refusal !== undefined) return replies.execAbortedBecause(refusal);
    const { replica } = server;
    const caching = connection.tracking?.caching === true;
    const hadWatch = watched.length > 0;
    const remembers = (): boolean => {
      const { tracking } = connection;
      return tracking?.remembers(caching || tracking.caching) === true;
    };
    const target: ReplyTarget = {
      complete: (reply, isApplied) => {
        this.showTransaction(Array.isArray(reply) ? transaction.requests : []);
        if (Array.isArray(reply)) this.count(transaction, reply);
        connection.database = transaction.databaseAfter(reply, connection.database);
        if (connection.tracking !== undefined) connection.tracking.caching = false;
        if (transaction.changesRights) server.users.changeEnded();
        connection.complete(reply, isApplied);
      },
      outcomeUnknown: (error) => {
        if (transaction.changesRights) server.users.changeEnded();
        connection.outcomeUnknown(error);
      },
      refused: (error) => {
        if (transaction.changesRights) server.users.changeEnded();
        connection.refused(error, { raw: EXEC, writes: true, transaction, hadWatch });
      },
      readInTransaction: (row, request) => {
        if (remembers()) server.audience.tracking.remember(connection, server.readKeys.of(row, request));
      },
      scriptAudience: () => (remembers() ? connection.scripts.remembering : connection.scripts.audience),
      runInTransaction: (request, database) => this.runQueued(transaction, request, database),
    };
    const { session, database } = connection;
    const { runsScripts, changesRights, changesDatabase } = transaction;
    const caller = runsScripts ? connection.scripts.caller(changesRights) : undefined;
    if (changesRights) server.users.changeBegins();
    replica.exec(target, session, database, watched, transaction.requests, bytes, caller);
    // What follows may run in another database, or with other rights: that is known once the transaction has
    // run.
    connection.queue.addItem(replica.turn, changesDatabase || changesRights);
    return undefined;
  }

  /**
   * Judges what was queued by the rights that hold now, or that commands before it will have made; and has
   * changes of users take the form that the log takes.
   */
  private judge(transaction: Transaction): void {
    const { connection, server, request } = this;
    const users = transaction.changesRights ? new TransactionUsers(server.access) : undefined;
    let { userName, permissions } = connection;
    if (users === undefined && permissions.isUnlimited) return;
    transaction.replaceRequests((queued) => {
      parseTrusted(queued, 0, request);
      const row = server.table.resolve(request);
      if (row instanceof ErrorReply) return undefined;
      const denial = permissions.isUnlimited
        ? undefined
        : server.access.denyQueued(row.name, connection, request, permissions);
      if (denial !== undefined || users === undefined || row.kind !== 'other') return denial;
      const credentials = credentialsOf(row.name, request);
      if (credentials !== undefined) {
        if (users.accepts(...credentials)) [userName] = credentials;
        permissions = users.permissions(userName);
        return undefined;
      }
      if (row.name === 'config|set') {
        users.channelsByDefault = channelsAfter(request, server) ?? users.channelsByDefault;
        return undefined;
      }
      const change = this.prepareUsers(row as ProgramCommand, users);
      if (change === undefined || change instanceof ErrorReply) return change;
      users.take(change);
      permissions = users.permissions(userName);
      return encodeRequest([QUEUED_USERS, `${change.kind}`, ...change.words]);
    });
  }

  private prepareUsers(
    { handler }: ProgramCommand,
    users: TransactionUsers,
  ): UserChange | ErrorReply | undefined {
    try {
      return handler.prepareUsers?.(this.request, this.server, users);
    } catch (error) {
      if (error instanceof ErrorReply) return error;
      throw error;
    }
  }

  /** A transaction that only reads needs no log. */
  private execReads(transaction: Transaction): void {
    const { connection, server } = this;
    const refusal = server.refuseRead(connection.consistency);
    if (refusal !== undefined) {
      connection.answer(refusal);
      return;
    }
    const { tracking } = connection;
    const caching = tracking?.caching === true;
    const { permissions } = connection;
    const run = (): void => {
      // Rights may have changed while a quorum was asked.
      if (permissions !== connection.permissions) this.judge(transaction);
      const results: Reply[] = [];
      if (tracking !== undefined) tracking.caching = caching;
      for (const request of transaction.requests) {
        parseTrusted(request, 0, this.request);
        results.push(detach(this.runQueued(transaction, this.request, connection.database)));
      }
      if (tracking !== undefined) tracking.caching = false;
      this.count(transaction, results);
      connection.encode(results);
      this.showTransaction(transaction.requests);
    };
    if (connection.queue.isEmpty && server.mayReadNow(connection.consistency, connection.forwardedBy)) run();
    else this.reads.readLater(run, EXEC, transaction);
  }

  /** Statistics count what was queued when it has run. */
  private count({ rows }: Transaction, replies: readonly Reply[]): void {
    const { server } = this;
    for (let i = 0; i < rows.length; i++) {
      server.statistics.commands.countCall(rows[i]);
      const reply = replies[i];
      if (reply instanceof ErrorReply) server.countErrorReply(reply);
    }
  }

  private runQueued(transaction: Transaction, request: Request, database: number): Reply {
    const { connection } = this;
    connection.executing = { transaction, database };
    try {
      return this.runInTransaction(request, database);
    } finally {
      connection.executing = undefined;
    }
  }

  /** What monitors see of a transaction. */
  private showTransaction(requests: readonly Buffer[]): void {
    const { connection, server } = this;
    const { monitors } = server.audience;
    if (monitors.size === 0) return;
    let { database } = connection;
    for (const raw of [...requests, EXEC]) {
      parseTrusted(raw, 0, this.shown);
      const row = server.table.resolve(this.shown);
      if (row instanceof ErrorReply) continue;
      monitors.show(row, this.shown, database, connection.address);
      if (row.name === 'select') database = Number(this.shown.int64OrUndefined(1) ?? database);
    }
  }

  /** A command at its place in EXEC: a read, or one of the program's. */
  runInTransaction(request: Request, database: number): Reply {
    const { connection, server } = this;
    const denial = refusedRequest(request);
    if (denial !== undefined) return denial;
    const row = server.table.resolve(request);
    if (row instanceof ErrorReply) return row;
    if (row.kind === 'read') {
      const reply = this.reads.evaluate(row, request, database);
      return reply === BLOCKED ? NULL_ARRAY : reply;
    }
    if (row.kind === 'write') throw new Error(`'${row.name}' was not queued as a write`);
    try {
      const reply = (row as ProgramCommand).handler.run(request, connection, server);
      if (reply instanceof Promise) {
        // Nobody waits within EXEC; whatever it has begun goes on.
        reply.catch((error: unknown) => {
          if (!(error instanceof ErrorReply)) server.internalError(row.name, connection, error);
        });
        return replies.notInTransaction(row.name);
      }
      return reply ?? null;
    } catch (error) {
      return error instanceof ErrorReply ? error : connection.internalError(row, error);
    }
  }
}
