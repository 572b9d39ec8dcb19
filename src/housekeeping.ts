/**
 * What a node does by itself, ten times a second: deadlines that have come, limits, memory that is given
 * back, word of a leader.
 */
import type { Session } from '../engine/index.js';
import type { Clock, Timer } from '../raft/node/index.js';
import type { AccountedClient, ClientHost } from './client/client-host.js';
import type { LeaderWait } from './cluster/leader-wait.js';

/** How long a key may outlive its deadline, and a waiter its timeout, while nothing else is written. */
const TICK_MS = 100;
/** Elements of discarded values that are freed between two turns of the event loop. */
const FREED_PER_TURN = 2000;

/** What it needs of the node. */
export interface HousekeepingHost extends ClientHost {
  readonly connections: ReadonlyMap<number, AccountedClient>;
  readonly leaderWait: LeaderWait;
  /** Ends the waiting of clients of which nobody knows whether they were served. */
  releaseBlocked(isLost: (session: Session) => boolean): void;
}

export class Housekeeping {
  private freeing = false;
  private tickedAtMs: number;
  private ticker: Timer;

  constructor(
    private readonly host: HousekeepingHost,
    private readonly clock: Clock,
  ) {
    this.tickedAtMs = clock.monotonicMs();
    this.ticker = this.arm();
  }

  stop(): void {
    this.ticker.cancel();
  }

  private arm(): Timer {
    return this.clock.setTimer(TICK_MS, () => {
      this.ticker = this.arm();
      this.tick();
    });
  }

  private tick(): void {
    const { host } = this;
    host.engine.keyspace.clockSeconds = Math.floor(host.clock() / 1000);
    host.eviction.tick();
    if (host.clientMemory.bytes !== 0)
      for (const connection of host.connections.values()) connection.account();
    host.usedMemory();
    if (!host.consensus.isBound) return;
    this.endLostWaiting();
    host.leaderWait.resumeAll();
    host.guide.look();
    this.noteStall();
    host.limits.check(host.connections.values(), host.clock(), (connection, why) =>
      host.closeClient(connection, why),
    );
    if (!host.isLeader) return;
    const deadline = host.engine.nextDeadline();
    if (deadline !== undefined && deadline <= host.clock()) host.replica.tick();
    this.freeDiscarded();
  }

  /**
   * Of clients that block where no leader has been known for long, nobody can say any more what became of
   * them.
   */
  private endLostWaiting(): void {
    const { host } = this;
    host.leaderWait.look();
    if (host.leaderWait.isLost)
      host.releaseBlocked((session) => host.engine.waiters.ofSession(session) !== undefined);
  }

  /** Samples the rates, and notes for LATENCY when the event loop stood still. */
  private noteStall(): void {
    const { host } = this;
    const nowMs = this.clock.monotonicMs();
    host.statistics.sample(nowMs);
    const lateMs = Math.floor(nowMs - this.tickedAtMs - TICK_MS);
    this.tickedAtMs = nowMs;
    const thresholdMs = host.configuration.integer('latency-monitor-threshold');
    if (thresholdMs === 0 || lateMs < thresholdMs) return;
    host.latency.add('event-loop', { timeSeconds: Math.floor(host.clock() / 1000), milliseconds: lateMs });
  }

  /** Frees what no key holds any more, in steps between the turns of the event loop. */
  freeDiscarded(): void {
    const { host } = this;
    if (this.freeing || !host.engine.keyspace.hasDiscarded) return;
    this.freeing = true;
    const step = (): void => {
      host.engine.keyspace.freeDiscarded(FREED_PER_TURN);
      this.freeing = host.engine.keyspace.hasDiscarded;
      if (this.freeing) this.clock.afterInput(step);
    };
    this.clock.afterInput(step);
  }
}
