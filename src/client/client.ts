/**
 * One client of this node, as commands and the parts of the node see it. Its socket and its requests are
 * `connection.ts`'s.
 */
import type { Socket } from 'node:net';
import type { Permissions, Reply, Session } from '../../engine/index.js';
import type { ClientSubscriptions } from '../pubsub/subscriptions.js';
import type { ReplyWriter } from '../resp/reply-writer.js';
import type { TrackedClient } from '../tracking/tracking.js';
import type { Consistency } from './consistency.js';
import type { SlotKind } from './reply-queue.js';
import type { Transaction, WatchList } from './transaction.js';

/** What a client has set, what it takes, and how it is answered. */
export interface Client extends TrackedClient {
  readonly session: Session;
  readonly socket: Socket;
  /** host:port of the client. */
  readonly address: string;
  readonly writer: ReplyWriter;
  /** The node that forwards this client's commands; 0 for a client of this node's own. */
  readonly forwardedBy: number;

  // What it has set.
  database: number;
  authenticated: boolean;
  /** Who the client is; latin1. */
  userName: string;
  permissions: Permissions;
  /** It gave a password, or the node that forwards its commands says so. */
  provedPassword: boolean;
  /** Whom the client's certificate names, where that is asked for; latin1. */
  readonly certificateUser: string | undefined;
  name: string;
  libraryName: string;
  libraryVersion: string;
  noEvict: boolean;
  noTouch: boolean;
  /** It sees all commands, and may not touch keys. */
  isMonitor: boolean;
  /** It is sent the state and what changes it, and gets no replies. */
  isReplica: boolean;
  replyMode: 'on' | 'off' | 'skip' | 'skip next';
  consistency: Consistency;
  /** READONLY: it means to read at a follower. */
  readsReplica: boolean;
  transaction: Transaction | undefined;
  /** While EXEC runs the program's own commands: what they are part of, and the database they run in. */
  readonly executing: { readonly transaction: Transaction; readonly database: number } | undefined;
  /** Undefined until it first subscribes. */
  readonly subscriptions: ClientSubscriptions | undefined;
  readonly watched: WatchList;

  // What it does, and what it takes.
  /** Milliseconds since the epoch, as the log has them. */
  readonly createdMs: number;
  readonly lastActiveMs: number;
  readonly lastCommand: string;
  readonly closing: boolean;
  /** Whether everything that was asked is answered. */
  readonly isIdle: boolean;
  /**
   * What the client waits for, if it does: an item in the log, which may be yet to be applied, or a reply
   * that a command of the program has promised.
   */
  readonly blockedBy: SlotKind | undefined;
  /** Whether EXEC runs a command of the program: nothing may wait then. */
  readonly inExec: boolean;
  /** Bytes of requests that were read and not yet run. */
  readonly queryBufferBytes: number;
  /** Bytes that requests, transaction, watched keys and replies of this client take. */
  readonly heldBytes: number;
  /** Bytes of replies that the client has not been sent. */
  readonly unsentBytes: number;

  /** Gives a reply that is known already, behind all that are still to come before it. */
  answer(reply: Reply): void;
  /** Writes a reply whose turn it is. */
  encode(reply: Reply): void;
  /**
   * Runs `step` on a state that is as fresh as a leader's, in the order of the connection.
   *
   * @param request its bytes, should it have to run anew
   */
  readNowOrLater(step: () => void, request: () => Buffer): void;
  /** EXEC: its reply, or undefined if that comes later. */
  exec(): Reply | undefined;
  /** What it has subscribed to, to be added to. */
  ownSubscriptions(): ClientSubscriptions;
  /** CLIENT TRACKING OFF, RESET, or the end. */
  stopTracking(): void;
  /** Answers what is in flight, then closes. */
  closeAfterReplies(): void;
  /** Ends the connection at once. */
  cutOff(): void;
}
