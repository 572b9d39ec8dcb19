/**
 * Who may do what on this node: the cluster's users (engine/acl) as connections meet them. Permissions are
 * worked out once for each version of a user, and handed to its connections.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  AclCommands,
  anyName,
  type CommandCatalog,
  DEFAULT_USER,
  type Denial,
  type Engine,
  type ErrorReply,
  mayDoEverything,
  Permissions,
  type Request,
  User,
} from '../../engine/index.js';
import { AclLog, type DenialContext } from '../observability/acl-log.js';
import { replies } from '../replies.js';
import type { Client } from './client.js';
import { describeClient } from './description.js';

/** SHA-256 of a password (latin1), as users keep it. */
export function passwordHash(password: string): string {
  return createHash('sha256').update(password, 'latin1').digest('hex');
}

/** The rules by which `requirepass` changes the default user. */
export function requirepassRules(password: string): string[] {
  return password === '' ? ['nopass'] : ['resetpass', `#${passwordHash(password)}`];
}

/** What access control asks of the node. */
export interface AccessPorts {
  engine(): Engine;
  catalog(): CommandCatalog;
  /** Of this node's own configuration, empty for none. */
  ownPassword(): string;
  logLength(): number;
  nowMs(): number;
}

export class AccessControl {
  readonly log = new AclLog();
  private knownCommands: AclCommands | undefined;
  /** Valid for one version of the users, of one engine. */
  private permissionsOf = new Map<string, Permissions>();
  private standIn: { readonly password: string; readonly user: User } | undefined;

  constructor(private readonly ports: AccessPorts) {}

  get commands(): AclCommands {
    this.knownCommands ??= new AclCommands(this.ports.catalog());
    return this.knownCommands;
  }

  /**
   * A user, or undefined. While the cluster has never had users of its own, or this node has not yet learnt
   * them, the node's own password holds here: nobody comes in by a node that does not know better.
   */
  user(name: string): User | undefined {
    const { users } = this.ports.engine();
    const user = users.get(name);
    const password = this.ports.ownPassword();
    if (name !== DEFAULT_USER || users.haveChanged || password === '') return user;
    if (this.standIn?.password !== password) {
      const made = User.default();
      for (const rule of requirepassRules(password)) made.apply(rule, anyName, false);
      this.standIn = { password, user: made };
    }
    return this.standIn.user;
  }

  /** Whether the cluster has users of its own. */
  get haveChanged(): boolean {
    return this.ports.engine().users.haveChanged;
  }

  /** By name. */
  all(): User[] {
    return this.ports
      .engine()
      .users.all()
      .map(({ name }) => this.user(name)!);
  }

  private get defaultUser(): User {
    return this.user(DEFAULT_USER)!;
  }

  /** Whether a new connection must authenticate. */
  get isRequired(): boolean {
    const { hasNoPassword, isOn } = this.defaultUser;
    return !hasNoPassword || !isOn;
  }

  /** Whether the default user's password is none: what protected mode asks. */
  get isOpen(): boolean {
    return this.defaultUser.hasNoPassword;
  }

  /** Whether some clients may do less than peers can. */
  get limitsClients(): boolean {
    return this.isRequired || !this.permissions(DEFAULT_USER).isUnlimited;
  }

  permissions(name: string): Permissions {
    const known = this.permissionsOf.get(name);
    if (known !== undefined) return known;
    // Who is no user any more may do nothing.
    const user = this.user(name) ?? new User(name);
    if (mayDoEverything(user)) return Permissions.unlimited;
    const made = this.commands.permissionsOf(user);
    if (this.permissionsOf.size > MAX_CACHED) this.permissionsOf.clear();
    this.permissionsOf.set(name, made);
    return made;
  }

  /**
   * A user, all of them if none is named, has other rules now: connections take them up by {@link
   * permissions}.
   */
  forget(name?: string): void {
    if (name === undefined) this.permissionsOf.clear();
    else this.permissionsOf.delete(name);
  }

  /** Whether a password is one of a user's. */
  hasPassword(name: string, password: string): boolean {
    return this.user(name)?.passwords.includes(passwordHash(password)) === true;
  }

  /**
   * Whether a name and a password (both latin1) let somebody in. The time that it takes does not tell which
   * was wrong.
   */
  accepts(name: string, password: string, user = this.user(name)): boolean {
    const given = Buffer.from(passwordHash(password));
    const hashes = user?.passwords ?? [];
    let matches = user?.hasNoPassword === true;
    for (const hash of hashes.length === 0 ? [NO_HASH] : hashes)
      if (timingSafeEqual(given, Buffer.from(hash))) matches = true;
    return matches && user?.isOn === true;
  }

  /** Makes a connection one of a user. */
  become(connection: Client, name: string, provedPassword: boolean): void {
    connection.userName = name;
    connection.permissions = this.permissions(name);
    connection.authenticated = true;
    connection.provedPassword = provedPassword;
  }

  /** What a connection is before it authenticates. */
  reset(connection: Client): void {
    const { certificateUser } = connection;
    if (certificateUser !== undefined && this.user(certificateUser)?.isOn === true) {
      this.become(connection, certificateUser, true);
      return;
    }
    this.become(connection, DEFAULT_USER, false);
    connection.authenticated = !this.isRequired;
  }

  /**
   * Why a connection's user may not run a command, in Redis's words; notes it in the log.
   *
   * @param name full name of the command, in lower case
   */
  deny(
    name: string,
    connection: Client,
    request: Request,
    context: DenialContext = connection.transaction === undefined ? 'toplevel' : 'multi',
    permissions = connection.permissions,
  ): ErrorReply | undefined {
    if (connection.forwardedBy !== 0 && ofTheNode.has(name)) return undefined;
    const denial = permissions.deny(name, request);
    if (denial === undefined) return undefined;
    const { reason, position } = denial;
    const object = reason === 'command' ? name : request.latin1(position);
    this.note(reason, context, object, connection.userName, connection, name);
    return replies.denied(reason, name);
  }

  /** Why a command that was queued when it was allowed is not to run now. */
  denyQueued(
    name: string,
    connection: Client,
    request: Request,
    permissions: Permissions,
  ): ErrorReply | undefined {
    if (this.deny(name, connection, request, 'multi', permissions) === undefined)
      return permissions.denyPatterns(name, request);
    return replies.deniedSince(permissions.deny(name, request)!.reason);
  }

  /** Notes that a script was denied a command, for want of its caller's rights. */
  noteScripted(name: string, { reason, position }: Denial, request: Request, connection: Client): void {
    const object = reason === 'command' ? name : request.latin1(position);
    this.note(reason, 'lua', object, connection.userName, connection, connection.lastCommand);
  }

  /** Notes an event in the log. */
  note(
    reason: 'auth' | 'command' | 'key' | 'channel',
    context: DenialContext,
    object: string,
    userName: string,
    connection: Client,
    command: string,
  ): void {
    const timeMs = this.ports.nowMs();
    const clientInfo = describeClient(connection, timeMs, command);
    this.log.add({ reason, context, object, userName, clientInfo, timeMs }, this.ports.logLength());
  }
}

/**
 * What a node that forwards commands says for itself, or has judged already: these name no key and no
 * channel.
 */
const ofTheNode = new Set(['multi', 'raftconsistency', 'select', 'unwatch']);

const MAX_CACHED = 10_000;
const NO_HASH = '0'.repeat(64);
