/** The connection as the parts that carry out its requests see it. */
import type { ErrorReply, Reply, Runnable } from '../../engine/index.js';
import type { ForwardingClient } from '../cluster/forwarder.js';
import type { ForwardedRequest } from '../cluster/upstream.js';
import type { ReplyTarget } from '../replication/replica.js';
import type { AccountedClient, ScheduledClient } from './client-host.js';
import type { Consistency } from './consistency.js';
import type { PutBack, ReplyQueue } from './reply-queue.js';
import type { ScriptCalls } from './script-calls.js';
import type { WatchList } from './transaction.js';

/** A request that was put aside. */
export interface Deferred {
  readonly raw: Buffer;
  /** Its answer, which stands behind requests that were put back. */
  readonly reply?: Reply;
  /** Since when it waits for a leader, by the monotonic clock. */
  heldSinceMs?: number;
  /** What came back from a leader that did not take it, this node or another. */
  readonly returned?: ForwardedRequest;
}

const NOTHING = Buffer.alloc(0);

/** What was put back, to be looked at again in its order. */
export function deferredOf(requests: readonly PutBack[], nowMs: number): Deferred[] {
  return requests.map((request) => {
    if ('reply' in request) return { raw: NOTHING, reply: request.reply };
    const { raw, heldSinceMs = nowMs } = request;
    return { raw, heldSinceMs, returned: { ...request, heldSinceMs } };
  });
}

/** The connection whose requests come here. */
export interface RoutedClient extends AccountedClient, ScheduledClient, ForwardingClient, ReplyTarget {
  readonly userName: string;
  readonly provedPassword: boolean;
  readonly consistency: Consistency;
  readonly watched: WatchList;
  /** Nobody gets what is still owed. */
  readonly isCutOff: boolean;
  executing: AccountedClient['executing'];
  /** The replies that are still owed. */
  readonly queue: ReplyQueue;
  /** Where the request at hand lies. */
  readonly parser: { readonly requestStart: number; readonly requestEnd: number };
  /** How long the request at hand is. */
  readonly requestBytes: number;
  /** What bounds its scripts, and who hears of what they call. */
  readonly scripts: ScriptCalls;
  /** The bytes of the request at hand, as RESP. */
  copyRaw(): Buffer;
  /** Puts a request aside until everything before it is answered. */
  defer(deferred: Deferred | undefined): void;
  /** A command is admitted, or refused: it counts, and the mode of its reply is settled. */
  beginCommand(name: string): void;
  /**
   * An item was refused before anything happened: it runs as if it had just come.
   *
   * @param isSilent no reply is owed for it
   */
  refused(error: ErrorReply, request: ForwardedRequest | undefined, isSilent?: boolean): void;
  /** The read whose turn it is was refused. */
  readRefused(error: ErrorReply, request: ForwardedRequest): void;
  /** An item has its outcome. @param isSilent no reply is owed for it */
  itemDone(reply: Reply, isApplied: boolean, isSilent?: boolean): void;
  /**
   * A handler has failed in a way that it does not foresee: this client gets an error and is closed; nobody
   * else notices.
   */
  internalError(row: Runnable, error: unknown): ErrorReply;
  /** What is owed to this client cannot be said any more: it is cut off, and nobody else notices. */
  fault(what: string, error: unknown): void;
}
