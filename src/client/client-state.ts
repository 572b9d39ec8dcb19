/**
 * What a client has set by commands, and what is counted of those. A connection extends this class instead of
 * owning an object of it: each request looks here.
 */
import type { Permissions } from '../../engine/index.js';
import { ClientSubscriptions } from '../pubsub/subscriptions.js';
import type { ClientTracking } from '../tracking/client-tracking.js';
import type { Transaction } from './transaction.js';

export abstract class ClientState {
  database = 0;
  authenticated!: boolean;
  /** Who the client is; latin1. */
  userName!: string;
  permissions!: Permissions;
  /** It gave a password, or the node that forwards its commands says so. */
  provedPassword = false;
  name = '';
  libraryName = '';
  libraryVersion = '';
  noEvict = false;
  noTouch = false;
  /** It sees all commands, and may not touch keys. */
  isMonitor = false;
  /** It is sent the state and what changes it, and gets no replies. */
  isReplica = false;
  replyMode: 'on' | 'off' | 'skip' | 'skip next' = 'on';
  /** READONLY: it means to read at a follower. */
  readsReplica = false;
  transaction: Transaction | undefined;
  /** While EXEC runs the program's own commands: what they are part of, and the database they run in. */
  executing: { readonly transaction: Transaction; readonly database: number } | undefined;
  /** Undefined until it first subscribes. */
  subscriptions: ClientSubscriptions | undefined;
  /** Undefined unless it tracks keys. */
  tracking: ClientTracking | undefined;

  // For CLIENT LIST.
  lastCommand = '';
  commandsProcessed = 0;

  /** Whether EXEC runs a command of the program: nothing may wait then. */
  get inExec(): boolean {
    return this.executing !== undefined;
  }

  /** Whether it subscribes to anything: in RESP2 most commands are refused then. */
  get isSubscriber(): boolean {
    return this.subscriptions !== undefined && this.subscriptions.size > 0;
  }

  /** What it has subscribed to, to be added to. */
  ownSubscriptions(): ClientSubscriptions {
    this.subscriptions ??= new ClientSubscriptions();
    return this.subscriptions;
  }

  /** A command is admitted, or refused: it counts, and the mode of its reply is settled. */
  beginCommand(name: string): void {
    if (this.replyMode === 'skip next') this.replyMode = 'skip';
    else if (this.replyMode === 'skip') this.replyMode = 'on';
    this.commandsProcessed++;
    if (name !== '') this.lastCommand = name;
  }
}
