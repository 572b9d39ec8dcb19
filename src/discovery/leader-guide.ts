/**
 * How clients find the leader: their commands wait while none is known, then they are told where it is; a
 * leader that was replaced sends them away.
 */
import {
  type CommandCatalog,
  type ErrorReply,
  findKeys,
  parseTrusted,
  Request,
  type Runnable,
} from '../../engine/index.js';
import type { Clock } from '../../raft/node/index.js';
import type { Client } from '../client/client.js';
import type { ConsensusNode } from '../replication/consensus.js';
import { replies } from '../replies.js';
import { Announcements, type AnnouncementsHost } from './announcements.js';
import { slotOf } from './slots.js';

/**
 * What a follower does with what is the leader's: -TRY, -MOVED as in Redis Cluster, -READONLY as a replica,
 * or pass it on.
 */
export type FollowerMode = 'try' | 'moved' | 'readonly' | 'forward';

/**
 * For so many election timeouts a command of a direct client waits for a leader: an election takes two of
 * them at most, mostly.
 */
const HOLD_TIMEOUTS = 4;
/** Where elections are to be fast, a busy machine may still take its time. */
const HOLD_MIN_MS = 2000;
/** With more than this in requests and replies of clients, none is made to wait for a leader. */
const HELD_BYTES_MAX = 256 * 1024 * 1024;
/** How long after it was replaced a leader closes its clients: they have what they were owed by then. */
const FAREWELL_MS = 200;
/** A client that has said nothing for so long has nothing on the way that its end would lose. */
const QUIET_MS = 100;
/** One that is never quiet stays with this node, and is closed all the same. */
const FAREWELL_MAX_MS = 2000;
/** Who is still refused so long after the first time follows nothing: it is closed, quiet or not. */
const FOLLOWS_NOTHING_MS = 500;
/** For so long that is looked at. */
const DEPOSED_MAX_MS = 10_000;
/** How long a node that stops waits for its clients to become quiet. */
const SEND_OFF_MS = 1000;
const SEND_OFF_POLL_MS = 10;

/** What it needs of the node. */
export interface LeaderGuideHost extends AnnouncementsHost {
  readonly consensus: ConsensusNode;
  readonly catalog: CommandCatalog;
  readonly isLeader: boolean;
  readonly isStopping: boolean;
  /** What clients' requests, transactions and replies take. */
  readonly clientMemory: { readonly bytes: number };
  readonly connections: ReadonlyMap<number, Client & { readonly isIdle: boolean }>;
  /** Milliseconds since the epoch. */
  clock(): number;
  /** Resolves after a while. */
  after(delayMs: number): Promise<void>;
  /** Where a client should go, or why there is nowhere to go. */
  notLeading(): ErrorReply;
}

export class LeaderGuide {
  private readonly announcements: Announcements;
  private wasLeader: boolean;
  /** Since when this node, a leader before, leads no more; 0 when its clients have been sent away. */
  private deposedMs = 0;
  /** When it began to send them away, in milliseconds since the epoch: who comes later knows better. */
  private farewellMs = Number.POSITIVE_INFINITY;
  private isFarewellSaid = false;
  /** When each client was first told that another node leads. */
  private refusedMs = new WeakMap<Client, number>();
  /** Clients that are told so again and again. */
  private readonly stubborn = new Set<Client>();
  /** Clients that were quiet at the last look, and since when. */
  private quiet = new Map<Client, number>();
  /** When a leader was last known that clients may be sent to. */
  private leaderKnownMs: number;

  constructor(
    private readonly server: LeaderGuideHost,
    private readonly mode: FollowerMode,
    private readonly clock: Pick<Clock, 'afterInput'>,
  ) {
    this.announcements = new Announcements(server);
    this.wasLeader = server.isLeader;
    this.leaderKnownMs = server.monotonicMs();
  }

  /** Whether this node sends clients away by errors that they follow by themselves. */
  get redirects(): boolean {
    return this.mode === 'moved' || this.mode === 'readonly';
  }

  /** How long a direct client's command waits for a leader. */
  get holdMs(): number {
    return Math.max(HOLD_MIN_MS, HOLD_TIMEOUTS * this.server.configuration.integer('election-timeout'));
  }

  /**
   * Whether a command that is the leader's, of a client of this node's own, is better held than refused now:
   * nobody is known to lead, or leadership is being handed over.
   *
   * @param heldSinceMs monotonic time since which it has been held
   */
  holds(heldSinceMs: number | undefined): boolean {
    const { server } = this;
    const { consensus, topology } = server;
    if (server.isStopping || consensus.members.length === 0 || topology.leaderId !== undefined) return false;
    if (server.clientMemory.bytes > HELD_BYTES_MAX) return false;
    const nowMs = server.monotonicMs();
    if (consensus.isLeader || heldSinceMs !== undefined) return nowMs - (heldSinceMs ?? nowMs) <= this.holdMs;
    // In a cluster without a quorum nobody is made to wait for each command.
    return nowMs - this.leaderKnownMs <= this.holdMs;
  }

  /**
   * What a client is told whose command is the leader's; undefined where the node has nothing to say but
   * -TRY.
   *
   * @param queued of an EXEC, whose keys are those of its transaction
   */
  redirection(
    client: Client,
    row: Runnable,
    request: Request,
    queued?: readonly Buffer[],
  ): ErrorReply | undefined {
    const { server } = this;
    if (!this.redirects || server.isLeader) return undefined;
    if (this.deposedMs !== 0 && server.topology.leaderId !== undefined) this.noteRefused(client);
    if (this.mode === 'readonly')
      return row.kind === 'read' ? replies.readsAtLeader : replies.readOnlyReplica;
    const { leaderAddress } = server.topology;
    if (leaderAddress !== undefined)
      return replies.movedTo(this.slotOf(request) ?? this.slotOfAny(queued), leaderAddress);
    // Raft's leader is presumed lost before an election is due: it is not to be named.
    return server.consensus.leaderAddress === undefined ? server.notLeading() : replies.notLeader();
  }

  private noteRefused(client: Client): void {
    const nowMs = this.server.monotonicMs();
    const firstMs = this.refusedMs.get(client);
    if (firstMs === undefined) this.refusedMs.set(client, nowMs);
    else if (nowMs - firstMs >= FOLLOWS_NOTHING_MS) this.stubborn.add(client);
  }

  /** Whether what this node has refused can be carried out: where another leads, or is about to. */
  get mayLeadElsewhere(): boolean {
    const { server } = this;
    return !server.isStopping && (!server.isLeader || server.consensus.isTransferring);
  }

  /**
   * What a client is told whose command was refused when it was to go into the log: any slot is the leader's.
   */
  refusal(): ErrorReply {
    const { server } = this;
    if (server.isLeader || !this.redirects) return server.notLeading();
    if (this.mode === 'readonly') return replies.readOnlyReplica;
    const { leaderAddress } = server.topology;
    return leaderAddress === undefined ? replies.notLeader() : replies.movedTo(0, leaderAddress);
  }

  /** The slot of the first key of several requests; 0 where they have none. */
  private slotOfAny(requests: readonly Buffer[] = []): number {
    const request = new Request();
    for (const raw of requests) {
      parseTrusted(raw, 0, request);
      const slot = this.slotOf(request);
      if (slot !== undefined) return slot;
    }
    return 0;
  }

  /** The slot of a request's first key. */
  private slotOf(request: Request): number | undefined {
    const { catalog } = this.server;
    const args: string[] = [];
    for (let i = 0; i < request.count; i++) args.push(request.latin1(i));
    const command = catalog.resolve(args);
    if (command === undefined || command.keySpecs.length === 0) return undefined;
    const first = findKeys(command.name, command.keySpecs, args)?.[0];
    return first === undefined ? undefined : slotOf(Buffer.from(args[first.position], 'latin1'));
  }

  /** This node leads, or leads no more, or another does. */
  leaderChanged(): void {
    const { server, wasLeader } = this;
    this.wasLeader = server.isLeader;
    if (wasLeader === this.wasLeader) return;
    this.deposedMs = this.wasLeader ? 0 : server.monotonicMs();
    this.farewellMs = Number.POSITIVE_INFINITY;
    this.isFarewellSaid = false;
    this.refusedMs = new WeakMap();
    this.stubborn.clear();
  }

  /** Called now and then, and when the leader has changed. */
  look(): void {
    const { server } = this;
    if (!server.consensus.isBound) return;
    if (server.topology.leaderId !== undefined) this.leaderKnownMs = server.monotonicMs();
    this.announcements.look();
    if (this.deposedMs !== 0 && this.redirects) this.farewell();
  }

  /**
   * A leader that was replaced sends its clients away, once they have what they were owed: those of Sentinel
   * ask again then where the master is. Each goes when it is quiet, so that none loses what it has just sent.
   * Who subscribes, waits or means to read at a replica stays.
   */
  private farewell(): void {
    const { server } = this;
    const sinceMs = server.monotonicMs() - this.deposedMs;
    if (sinceMs < FAREWELL_MS || (server.topology.leaderId === undefined && sinceMs < this.holdMs)) return;
    if (this.stubborn.size > 0) this.closeStubborn();
    if (sinceMs > DEPOSED_MAX_MS) this.deposedMs = 0;
    if (this.isFarewellSaid) return;
    const isLast = sinceMs > FAREWELL_MAX_MS;
    const beganMs = Math.min(this.farewellMs, server.clock());
    this.farewellMs = beganMs;
    this.isFarewellSaid = isLast;
    // A client whose bytes lie here unread is not quiet.
    this.clock.afterInput(() => this.closeClients(isLast, beganMs));
  }

  /** What they have on the way would be refused, too. */
  private closeStubborn(): void {
    for (const client of this.stubborn)
      if (!client.isSubscriber && client.blockedBy === undefined) client.closeAfterReplies();
    this.stubborn.clear();
  }

  /**
   * Before this node stops: clients that follow the leader have left by themselves once they have their
   * answers; the others are closed when they are quiet, for a bounded time.
   */
  async sendOff(): Promise<void> {
    const { server } = this;
    const deadlineMs = server.monotonicMs() + SEND_OFF_MS;
    while (!server.isLeader && server.monotonicMs() < deadlineMs) {
      await new Promise<void>((resolve) => this.clock.afterInput(resolve));
      if (this.closeClients(false) === 0) return;
      await server.after(SEND_OFF_POLL_MS);
    }
  }

  /**
   * Closes clients that are quiet, or all, if they came before a time. Returns how many could be closed and
   * were not.
   */
  private closeClients(all: boolean, beforeMs = Number.POSITIVE_INFINITY): number {
    const { server } = this;
    const quietSinceMs = server.clock() - QUIET_MS;
    const wereQuiet = this.quiet;
    this.quiet = new Map();
    let left = 0;
    for (const connection of server.connections.values()) {
      const stays = connection.isSubscriber || connection.blockedBy !== undefined || connection.readsReplica;
      if (connection.forwardedBy !== 0 || stays || connection.createdMs > beforeMs) continue;
      const { isIdle, lastActiveMs } = connection;
      const isQuiet = isIdle && lastActiveMs < quietSinceMs;
      // Seen twice: a busy machine may have kept client and node alike from their work.
      if (all || (isQuiet && wereQuiet.get(connection) === lastActiveMs)) {
        connection.closeAfterReplies();
        continue;
      }
      if (isQuiet) this.quiet.set(connection, lastActiveMs);
      left++;
    }
    return left;
  }
}
