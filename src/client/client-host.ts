/** The node as its clients' connections see it. What puts a node together implements it (`server.ts`). */
import type { ErrorReply, Session } from '../../engine/index.js';
import type { Upstream, UpstreamOwner } from '../cluster/upstream.js';
import type { NodeContext } from '../commands/node-context.js';
import type { LeaderGuide } from '../discovery/leader-guide.js';
import type { CommandTimer } from '../observability/command-timer.js';
import type { ReadKeys } from '../tracking/read-keys.js';
import type { Admission } from './admission.js';
import type { Client } from './client.js';
import type { ClientLimits } from './limits.js';

/** A client as the event loop's turns see it. */
export interface ScheduledClient {
  /** Sends what has gathered. */
  flush(): void;
  /** Goes on after a stall, once what it waited for has come. */
  resume(): void;
}

/** A client whose memory is reckoned before it may keep more. */
export interface AccountedClient extends Client {
  /** Brings the node's account of what clients take up to date. */
  account(): void;
}

export interface ClientHost extends NodeContext {
  readonly admission: Admission<AccountedClient>;
  readonly limits: ClientLimits;
  readonly guide: LeaderGuide;
  readonly readKeys: ReadKeys;
  /** What clients' requests, transactions and replies take, and what is kept of what they read. */
  readonly clientMemory: { bytes: number };
  readonly maxBulkLength: number;
  /** Stalled until there is a leader to pass their requests on to. */
  readonly awaitingLeader: Set<ScheduledClient>;
  /** Whether so much output waits for the end of the turn that more should leave at once. */
  readonly turn: { readonly isCrowded: boolean };
  /** Whether this node forwards to the leader what only the leader can do. */
  readonly isForwarding: boolean;

  /** {@link NodeContext.clock}, read once a turn. */
  turnTimeMs(): number;
  /** Why this node cannot take a write of so many bytes now, or undefined. */
  refuseWrite(needsMemory: boolean, bytes?: number): ErrorReply | undefined;
  /** Where a client should go, or why there is nowhere to go. */
  notLeading(): ErrorReply;
  /** Whether some key is due by this node's clock and not yet in logged time. */
  meetsDueKey(): boolean;
  /**
   * Whether a request is better held than forwarded or refused now: nobody is known to lead, or nobody has
   * taken it yet.
   *
   * @param heldSinceMs monotonic time since which it has been held
   */
  holds(heldSinceMs: number | undefined): boolean;
  /** Why a request was held in vain. */
  heldInVain(): ErrorReply;
  /** Lets a stalled client go on when another node leads, or in a moment. */
  awaitLeader(client: ScheduledClient): void;
  /** Opens a way to the leader for one client. */
  dialLeader(owner: UpstreamOwner): Upstream;
  /** Lets a stalled client go on, outside of apply. */
  resumeSoon(client: ScheduledClient): void;
  /** The client has output, or is to be closed; it is flushed at the end of the turn at the latest. */
  hasOutput(client: ScheduledClient): void;
  /** Ends the connection of a client that takes more than it may. */
  closeClient(client: Pick<Client, 'address' | 'cutOff'>, why: string): void;
  /** The session's client is gone while it waits: the engine is told through the log. */
  forget(session: Session): void;
  /**
   * A handler failed in a way that it does not foresee and that leaves no state in doubt: the log says how,
   * the client only where to look.
   */
  internalError(what: string, client: Pick<Client, 'address'>, error: unknown): ErrorReply;
  /** How long commands take. */
  readonly timer: CommandTimer;
  countErrorReply(error: ErrorReply): void;
}
