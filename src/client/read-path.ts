/**
 * How one client's reads are carried out: at once where the state is fresh enough, else after a quorum's
 * answer or behind an item of the log, in the order of the connection.
 */
import {
  allTraces,
  BLOCKED,
  ErrorReply,
  type GradualReply,
  onlyCounts,
  type Permissions,
  parseTrusted,
  type ReadCommand,
  type ReadTraces,
  type Reply,
  Request,
} from '../../engine/index.js';
import type { ReplyTarget } from '../replication/replica.js';
import type { ClientHost } from './client-host.js';
import type { RoutedClient } from './routed-client.js';
import type { Transaction } from './transaction.js';

export class ReadPath {
  private readonly stepRequest = new Request();

  /** @param write proposes a read that found nothing and waits in the log */
  constructor(
    private readonly connection: RoutedClient,
    private readonly server: ClientHost,
    private readonly write: (row: ReadCommand, request: Request, raw: Buffer) => void,
  ) {}

  /** @param raw the request's bytes where they are not the parser's */
  read(row: ReadCommand, request: Request, raw: Buffer | undefined): void {
    const { connection, server } = this;
    const { database } = connection;
    if (row.wait?.mayWait(request) === true) {
      this.readOrWait(row, raw ?? connection.copyRaw());
      return;
    }
    if (connection.queue.isEmpty && server.mayReadNow(connection.consistency, connection.forwardedBy)) {
      this.runRead(row, request, database);
      return;
    }
    const refusal = server.refuseRead(connection.consistency);
    if (refusal !== undefined) {
      connection.answer(refusal);
      return;
    }
    const kept = raw ?? connection.copyRaw();
    const { remembers } = this;
    const { permissions } = connection;
    this.readLater(() => {
      parseTrusted(kept, 0, this.stepRequest);
      const denial = this.denySince(permissions, row);
      if (denial === undefined) this.runRead(row, this.stepRequest, database, remembers);
      else connection.encode(denial);
    }, kept);
  }

  /**
   * A read that waits when it finds nothing: it is proposed then. This client is idle, and what follows
   * stands behind it.
   */
  private readOrWait(row: ReadCommand, raw: Buffer): void {
    const { connection, server } = this;
    const refusal = server.refuseRead(connection.consistency);
    if (refusal !== undefined) {
      connection.answer(refusal);
      return;
    }
    const { remembers } = this;
    const { permissions } = connection;
    const run = (): void => {
      parseTrusted(raw, 0, this.stepRequest);
      const denial = this.denySince(permissions, row);
      const reply = denial ?? this.evaluate(row, this.stepRequest, connection.database, remembers);
      if (reply !== BLOCKED) {
        connection.encode(reply);
        return;
      }
      const late = server.refuseWrite(row.denyOutOfMemory, raw.length);
      if (late === undefined) this.write(row, this.stepRequest, raw);
      else connection.encode(late);
    };
    if (server.mayReadNow(connection.consistency, connection.forwardedBy)) run();
    else {
      this.readLater(run, raw);
      connection.queue.holdLast();
    }
  }

  /** Why a read may not run that was allowed when it came: rights may change while a quorum is asked. */
  private denySince(permissions: Permissions, row: ReadCommand): ErrorReply | undefined {
    const { connection, server, stepRequest } = this;
    const now = connection.permissions;
    if (now === permissions) return undefined;
    return server.access.deny(row.name, connection, stepRequest) ?? now.denyPatterns(row.name, stepRequest);
  }

  private runRead(row: ReadCommand, request: Request, database: number, remembers = this.remembers): void {
    const beganMs = this.server.timer.begin(row, request);
    if (row.mayBeGradual && this.connection.queue.mayProlong)
      this.runGradually(row, request, database, remembers);
    else this.connection.encode(this.evaluate(row, request, database, remembers));
    if (beganMs !== 0) this.server.timer.ran(row, request, this.connection, beganMs);
  }

  /** A read whose reply may come in slices. */
  private runGradually(row: ReadCommand, request: Request, database: number, remembers: boolean): void {
    const { connection, server } = this;
    const { readContext } = server.engine;
    let gradual: GradualReply | undefined;
    readContext.prolong = (begun) => {
      gradual = begun;
      return BLOCKED;
    };
    const reply = this.evaluate(row, request, database, remembers);
    readContext.prolong = undefined;
    if (gradual === undefined) {
      connection.encode(reply);
      return;
    }
    const slot = connection.queue.addProlonged();
    const done = (late: Reply): void => {
      if (late instanceof ErrorReply) server.timer.failed(row);
      connection.queue.kept(slot, late);
      connection.resume();
    };
    server.slices
      .make(gradual, () => !connection.isCutOff)
      .then(done, (error) => done(connection.internalError(row, error)));
  }

  /** Whether the client is to be told when keys change that the request at hand reads. */
  private get remembers(): boolean {
    const { tracking } = this.connection;
    return tracking?.remembers() === true;
  }

  /** A read changes nothing: if it fails in a way that it does not foresee, nothing but its reply is lost. */
  evaluate(row: ReadCommand, request: Request, database: number, remembers = this.remembers): Reply {
    const { server } = this;
    if (remembers) server.audience.tracking.remember(this.connection, server.readKeys.of(row, request));
    try {
      const reply = row.runsScripts
        ? this.runScript(row, request, database)
        : server.engine.read(row, request, database, server.timeMs, this.tracesOf(row));
      if (server.engine.scripts.hasFailed(row, reply)) server.timer.failed(row);
      return reply;
    } catch (error) {
      return this.connection.internalError(row, error);
    }
  }

  /** A script that only reads: it runs for this client. */
  private runScript(row: ReadCommand, request: Request, database: number): Reply {
    const { connection, server } = this;
    server.engine.reader = connection.scripts.reader();
    try {
      return server.engine.read(row, request, database, server.timeMs, this.tracesOf(row));
    } finally {
      server.engine.reader = undefined;
    }
  }

  /** What a command of this client leaves behind: TOUCH does what it is for, whatever NO-TOUCH says. */
  private tracesOf(row: ReadCommand): ReadTraces {
    return this.connection.noTouch && row.name !== 'touch' ? onlyCounts : allTraces;
  }

  /**
   * Runs `step` on a state that is as fresh as the connection's consistency demands, in the order of the
   * connection.
   *
   * @param raw the request, should it have to run anew
   * @param transaction what it ends, if it is an EXEC
   */
  readLater(step: () => void, raw: Buffer, transaction?: Transaction): void {
    const { connection, server } = this;
    const { queue, consistency } = connection;
    let needsItem: boolean;
    if (queue.hasItems) {
      // A quorum that has answered before the read came says nothing of it: another leader may have been at
      // work since. Nor does an old item tell all that a node which forwards to a late leader has applied.
      const { consensus } = server;
      needsItem =
        queue.newestPlace!.isProposed &&
        ((consistency === 'high' && !consensus.readsAreLocal()) ||
          (connection.forwardedBy !== 0 && consensus.isBehind));
    } else {
      // Once an item is applied, logged time is up to date.
      needsItem = !queue.hasReads && server.isLeader && server.meetsDueKey();
      if (!needsItem) {
        this.readByQuorum(step, raw, transaction);
        return;
      }
    }
    const refusal = needsItem ? this.addTick() : undefined;
    if (refusal !== undefined) connection.answer(refusal);
    else
      queue.addReadBehindItem((isApplied, late) => {
        const reason = late ?? this.refusalBehindItem(isApplied);
        if (reason === undefined) step();
        else connection.readRefused(reason, { raw, writes: false, transaction });
      });
  }

  /**
   * Adds an item of this turn that does nothing, for a read to stand behind; or says why there can be none.
   */
  private addTick(): ErrorReply | undefined {
    const { connection, server } = this;
    const { replica } = server;
    const refusal = replica.refusal(0);
    if (refusal !== undefined) return refusal;
    const done = (reply: Reply, isApplied = true): void => connection.itemDone(reply, isApplied, true);
    const target: ReplyTarget = {
      complete: done,
      refused: (error) => connection.refused(error, undefined, true),
      outcomeUnknown: (error) => done(error, false),
      runInTransaction: () => null,
    };
    replica.item(target, 0, (builder) => builder.forget(connection.session));
    connection.queue.addItem(replica.turn);
    return undefined;
  }

  private readByQuorum(step: () => void, raw: Buffer, transaction: Transaction | undefined): void {
    const { connection, server } = this;
    const slot = connection.queue.addRead((refusal) => {
      if (refusal === undefined) step();
      else connection.readRefused(refusal, { raw, writes: false, transaction });
    });
    server.reads.add(
      () => connection.queue.readReady(slot),
      (refusal) => connection.queue.readRefused(slot, refusal),
    );
  }

  /** Leadership may have been lost with the write that a read stands behind. */
  private refusalBehindItem(isApplied: boolean): ErrorReply | undefined {
    const { server } = this;
    const { consistency } = this.connection;
    const mayBeStale = !isApplied && consistency !== 'low';
    if (server.refuseRead(consistency) === undefined && !mayBeStale) return undefined;
    return server.guide.refusal();
  }
}
