/**
 * What becomes of the cluster's users on this node: connections follow their changes, a founder seeds them.
 */
import { DEFAULT_USER, type Reply, type User, type UsersListener } from '../../engine/index.js';
import { setPassword, setUsers, type UserAdministration } from '../commands/acl-changes.js';
import { readUsers, usersOf } from '../commands/acl-file.js';
import type { Log } from '../observability/log.js';
import type { ConsensusNode } from '../replication/consensus.js';
import type { ReadQueue } from '../replication/read-queue.js';
import type { Client } from './client.js';

export interface NodeUsersOptions {
  /** Users that the configuration names, each a line as a config file has it. */
  readonly userLines?: readonly string[];
  /**
   * Why clients may not be limited to less than peers can do, in a cluster of so many members; in words for
   * the operator.
   */
  readonly refusesLimits?: (members: number) => string | undefined;
}

/** What it needs of the node. */
export interface UsersHost extends UserAdministration {
  readonly connections: ReadonlyMap<number, Client>;
  readonly consensus: ConsensusNode;
  readonly log: Log;
  /** Has writes wait to be judged. Returns what ends that. */
  holdWrites(): () => void;
  readonly reads: Pick<ReadQueue, 'add'>;
  /** Whoever was told to wait is judged again. */
  resumeAll(): void;
  /** The parameters' values before any CONFIG SET. */
  readonly configuredAtStart: ReadonlyMap<string, string>;
}

export class NodeUsers implements UsersListener {
  /** Changes that were proposed and not yet applied. */
  private changes = 0;
  /** Takes the check away by which writes wait for them. */
  private endWaiting: (() => void) | undefined;

  constructor(
    private readonly server: UsersHost,
    private readonly options: NodeUsersOptions,
  ) {}

  /** Whether new users may use all channels. */
  get channelsByDefault(): boolean {
    return this.server.configuration.text('acl-pubsub-default') === 'allchannels';
  }

  /** Why clients may not be limited to less than peers can do, undefined if they may. */
  refusesLimits(): string | undefined {
    return this.options.refusesLimits?.(this.server.consensus.members.length);
  }

  /**
   * A change is proposed: writes are judged when it is applied, so that none goes by the rights before it.
   */
  changeBegins(): void {
    this.changes++;
    this.endWaiting ??= this.server.holdWrites();
  }

  changeEnded(): void {
    if (--this.changes > 0) return;
    this.endWaiting?.();
    this.endWaiting = undefined;
    this.server.resumeAll();
  }

  /** This node leads: a predecessor's changes may be in its log, and not yet applied. */
  leads(): void {
    // While it starts nobody writes: it serves once the users of its log are in force.
    if (!this.server.consensus.isBound) return;
    this.changeBegins();
    const ended = (): void => this.changeEnded();
    this.server.reads.add(ended, ended);
  }

  /** Another engine is in use: its users are in force. */
  adopted(): void {
    const { access, connections } = this.server;
    access.forget();
    this.forgetPassword();
    for (const connection of connections.values()) this.takeUpRights(connection);
  }

  changed(name: string): void {
    const { access, connections } = this.server;
    access.forget(name);
    if (name === DEFAULT_USER) this.forgetPassword();
    for (const connection of connections.values())
      if (connection.userName === name) this.takeUpRights(connection);
  }

  deleted(name: string): void {
    this.changed(name);
  }

  /**
   * A connection goes on with what its user may do now; it ends with its user, or when it listens to what it
   * may not any more.
   */
  private takeUpRights(connection: Client): void {
    const { access } = this.server;
    const { userName, subscriptions } = connection;
    connection.permissions = access.permissions(userName);
    if (access.user(userName) !== undefined && subscriptions?.isWithin(connection.permissions) !== false)
      return;
    // Whoever changed itself still gets the reply.
    if (/^(acl\||exec$)/.test(connection.lastCommand) && !connection.isIdle) connection.closeAfterReplies();
    else connection.cutOff();
  }

  /** What this node was told as `requirepass` is told no longer once it lets nobody in. */
  private forgetPassword(): void {
    const { access, configuration, engine } = this.server;
    const password = configuration.text('requirepass');
    if (password === '' || !engine.users.haveChanged) return;
    if (access.isOpen || !access.hasPassword(DEFAULT_USER, password)) configuration.adopt('requirepass', '');
  }

  /**
   * Before anybody is served: a founder's users and password become the cluster's; of any other node's it is
   * said where they differ.
   *
   * @returns what was proposed
   */
  settle(founds: boolean): Promise<Reply>[] {
    const { server } = this;
    const password = server.configuredAtStart.get('requirepass')!;
    const named = this.configuredUsers();
    if (!founds) {
      this.compare(named, password);
      return [];
    }
    const proposed = named.length === 0 ? [] : [setUsers(server, named)];
    // A line about the default user says what its passwords are.
    if (password !== '' && !named.some(({ name }) => name === DEFAULT_USER))
      proposed.push(setPassword(server, password));
    return proposed;
  }

  /** The state is known now. Who came before goes on only if what it proved counts. */
  settled(): void {
    const { access, connections, configuredAtStart } = this.server;
    access.forget();
    const holds = access.hasPassword(DEFAULT_USER, configuredAtStart.get('requirepass')!);
    for (const connection of connections.values())
      if (!(holds && connection.provedPassword)) access.reset(connection);
  }

  private configuredUsers(): User[] {
    const { access, configuration } = this.server;
    const lines = (this.options.userLines ?? []).map((text) => ({ text, place: 'the configuration' }));
    const path = Buffer.from(configuration.text('aclfile'), 'latin1').toString();
    if (path !== '' && lines.length > 0)
      throw new Error('users come from the ACL file or from the configuration, not from both');
    if (path !== '') return readUsers(access, path, this.channelsByDefault);
    return lines.length === 0 ? [] : usersOf(access, lines, this.channelsByDefault);
  }

  private compare(named: readonly User[], password: string): void {
    const { access, engine, log } = this.server;
    if (!engine.users.haveChanged) {
      if (password !== '' && engine.keyspace.position > 0)
        log.warning(
          'the cluster has no password yet: this node alone asks for its own, CONFIG SET requirepass gives it to all',
          { event: 'password-differs' },
        );
      return;
    }
    if (password !== '' && !access.hasPassword(DEFAULT_USER, password))
      log.notice('the cluster keeps its own password: requirepass of this node is another one', {
        event: 'password-differs',
      });
    const line = (user: User | undefined): string => (user === undefined ? '' : access.commands.line(user));
    const differing = named.filter((user) => line(user) !== line(engine.users.get(user.name)));
    if (differing.length > 0)
      log.notice(
        `the cluster keeps its own users: those of this node differ in ${differing.map(({ name }) => name).join(', ')}`,
        { event: 'users-differ' },
      );
  }
}
