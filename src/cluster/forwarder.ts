/**
 * How a follower that forwards (`--follower forward`) answers one client: what only the leader can do is
 * forwarded, in order.
 */
import { NULL_ARRAY, type Reply, type Runnable } from '../../engine/index.js';
import type { Consistency } from '../client/consistency.js';
import type { Transaction, WatchList } from '../client/transaction.js';
import type { ProgramCommand } from '../commands/program-command.js';
import type { Upstream, UpstreamOwner } from './upstream.js';

/** Commands of the program that look at the leader's state. */
const PASSED_ON = new Set(['watch', 'wait', 'waitaof', 'migrate']);

/** What forwarding needs of the client. */
export interface ForwardingClient extends UpstreamOwner {
  database: number;
  readonly protocol: 2 | 3;
  readonly consistency: Consistency;
  transaction: Transaction | undefined;
  readonly watched: WatchList;
  /** Requests are forwarded, which get one reply. */
  forwards(requests: readonly Buffer[]): void;
  readonly userName: string;
  readonly provedPassword: boolean;
  answer(reply: Reply): void;
}

/** What it needs of the node. */
export interface LeaderRoute {
  readonly leaderId: number;
  readonly databases: number;
  dial(): Upstream;
}

export class Forwarding {
  /** The way to the leader. */
  private upstream: Upstream | undefined;
  /**
   * Where keys are watched for this client, if that is not here: the newest connection on which WATCH went
   * out.
   */
  private watchedOn: Upstream | undefined;
  /** Keys may be watched on an earlier connection, too, which is gone: they may have changed. */
  private lostWatched = false;
  /** Once a command was forwarded, reads never come from an older state than the leader's. */
  private hasPassedOn = false;

  constructor(
    private readonly client: ForwardingClient,
    private readonly route: LeaderRoute,
  ) {}

  /** Whether replies are still to come from the leader. */
  get awaitsReplies(): boolean {
    return this.upstream?.isPending === true;
  }

  /** Whether only the leader can answer a request. */
  concerns(row: Runnable): boolean {
    const { transaction, consistency } = this.client;
    // An EXEC without MULTI is refused here.
    if (row.name === 'exec') return transaction !== undefined && !transaction.failed;
    if (transaction !== undefined) return false;
    if (row.kind === 'write') return true;
    // What waits, waits in the log.
    if (row.kind === 'read' && row.wait !== undefined) return true;
    if (row.kind === 'read') return consistency !== 'low' || this.hasPassedOn;
    return PASSED_ON.has(row.name) || (row as ProgramCommand).handler.writes === true;
  }

  /** Whether a request must wait until those before it are answered. */
  mustWait(row: Runnable | undefined): boolean {
    const upstream = this.upstream;
    if (upstream === undefined || upstream.isClosed || !upstream.isPending) return false;
    if (row?.name === 'exec' && this.isWatchLost(upstream)) return true;
    return upstream.leaderId !== this.route.leaderId || upstream.isFull;
  }

  /** Another node leads now, or none is known to lead. */
  leaderChanged(): void {
    this.upstream?.noteLeader(this.route.leaderId);
  }

  /** Passes a request on; its reply goes to the client. */
  forward(row: Runnable, raw: Buffer, heldSinceMs: number | undefined): void {
    const { client, route } = this;
    let upstream = this.upstream;
    if (upstream?.takesMore !== true || upstream.leaderId !== route.leaderId) {
      upstream?.close();
      upstream = route.dial();
      this.upstream = upstream;
    }
    this.hasPassedOn = true;
    upstream.identify(client.userName, client.provedPassword);
    // With the leader's own state a new leader waits until it knows what was acknowledged before.
    upstream.align(
      client.database,
      client.protocol,
      client.consistency === 'low' ? 'medium' : client.consistency,
    );
    if (row.name === 'exec') {
      this.passTransaction(upstream, raw, heldSinceMs);
      return;
    }
    if (row.name === 'watch') {
      this.lostWatched ||= this.watchedOn !== undefined && this.watchedOn !== upstream;
      this.watchedOn = upstream;
    }
    client.forwards([raw]);
    upstream.request({ raw, writes: row.kind !== 'read', heldSinceMs });
  }

  private passTransaction(upstream: Upstream, exec: Buffer, heldSinceMs: number | undefined): void {
    const { client, route } = this;
    const transaction = client.transaction!;
    const isWatchLost = this.isWatchLost(upstream);
    const hadWatch = this.watchedOn !== undefined;
    client.transaction = undefined;
    client.watched.clear();
    if (isWatchLost) {
      // Where the EXEC does not go, keys may be watched still: they must not abort the next one.
      this.forgetWatched();
      client.answer(NULL_ARRAY);
      return;
    }
    this.watchedOn = undefined;
    upstream.silently('MULTI');
    for (const request of transaction.requests) upstream.silentRequest(request);
    const select = transaction.lastSelected;
    client.forwards(transaction.requests);
    upstream.request({ raw: exec, writes: true, transaction, hadWatch, heldSinceMs }, (firstLine) => {
      if (select === undefined || !/^\*\d/.test(firstLine) || select >= route.databases) return;
      client.database = select;
      upstream.noteDatabase(select);
    });
  }

  /** Keys that were watched here, or at another leader, may have changed. */
  private isWatchLost(upstream: Upstream): boolean {
    const { watchedOn, client } = this;
    if (client.watched.length > 0 || this.lostWatched) return true;
    return watchedOn !== undefined && watchedOn !== upstream;
  }

  /** Bytes of requests that wait for the leader's replies. */
  get pendingBytes(): number {
    return this.upstream?.pendingBytes ?? 0;
  }

  /** Keys are watched at a leader. */
  get watchesElsewhere(): boolean {
    return this.watchedOn !== undefined;
  }

  /** No key is watched any more. */
  forgetWatched(): void {
    this.watchedOn?.unwatch();
    this.watchedOn = undefined;
    this.lostWatched = false;
  }

  pause(): void {
    this.upstream?.pause();
  }

  resume(): void {
    this.upstream?.resume();
  }

  /** The client will say no more: nor does this node say more for it. */
  end(): void {
    this.upstream?.end();
  }

  /** The client is gone. */
  close(): void {
    this.upstream?.close();
  }
}
