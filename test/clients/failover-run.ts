/**
 * Real clients write while leadership is lost or moves: how long each is without an acknowledged write, and
 * whether one is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessCluster } from '../cluster/processes.js';
import type { ClientKind, Writer } from './failover-clients.js';

/** What happens to a cluster; returns once it has happened. `heal` brings it back to full strength. */
export interface ClusterEvent {
  readonly name: string;
  happen(cluster: ProcessCluster, leader: number): Promise<void>;
  heal(cluster: ProcessCluster, leader: number): Promise<void>;
}

const nothing = async (): Promise<void> => {};

export const clusterEvents: readonly ClusterEvent[] = [
  {
    name: 'transfer',
    happen: async (cluster, leader) => void (await cluster.ask(leader, 'RAFTTRANSFER')),
    heal: nothing,
  },
  {
    name: 'graceful stop',
    happen: async (cluster, leader) => {
      await cluster.processes[leader]?.end('SIGTERM');
      cluster.processes[leader] = undefined;
    },
    heal: async (cluster, leader) => void (await cluster.spawn(leader)),
  },
  {
    name: 'kill -9',
    happen: (cluster, leader) => cluster.kill(leader),
    heal: async (cluster, leader) => void (await cluster.spawn(leader)),
  },
  {
    name: 'frozen',
    happen: (cluster, leader) => cluster.freeze(leader),
    heal: async (cluster, leader) => cluster.thaw(leader),
  },
];

export interface Measured {
  readonly client: string;
  readonly event: string;
  /** The longest time between two acknowledged writes. */
  readonly gapMs: number;
  readonly errors: readonly string[];
}

/** A write each some milliseconds, one after the other. */
class Workload {
  readonly acknowledged: string[] = [];
  errors: string[] = [];
  gapMs = 0;
  lastMs = performance.now();
  private isEnded = false;
  private next = 0;
  readonly key: string;

  constructor(
    readonly kind: ClientKind,
    private readonly writer: Writer,
  ) {
    this.key = `acknowledged by ${kind.name}`;
    void this.run();
  }

  private async run(): Promise<void> {
    while (!this.isEnded) {
      const value = `${this.next++}`;
      try {
        await this.writer.append(this.key, value);
        const nowMs = performance.now();
        this.gapMs = Math.max(this.gapMs, nowMs - this.lastMs);
        this.lastMs = nowMs;
        this.acknowledged.push(value);
      } catch (error) {
        this.errors.push((error as Error).message);
      }
      await sleep(5);
    }
  }

  begin(): void {
    this.errors = [];
    this.gapMs = 0;
    this.lastMs = performance.now();
  }

  end(): void {
    this.isEnded = true;
    this.writer.close();
  }
}

const CALM_MS = 1000;
/** So long a client has for finding the new leader before it counts as lost. */
const RECOVERY_MAX_MS = 20_000;

/**
 * Lets events happen to three nodes while clients write.
 *
 * @throws Error when an acknowledged write is lost
 */
export async function measureFailover(
  cluster: ProcessCluster,
  kinds: readonly ClientKind[],
  events: readonly ClusterEvent[],
  measured: (result: Measured) => void,
): Promise<void> {
  const workloads: Workload[] = [];
  try {
    for (const kind of kinds) workloads.push(new Workload(kind, await kind.connect(cluster.ports)));
    for (const event of events) {
      await sleep(CALM_MS);
      const leader = await cluster.leader();
      for (const workload of workloads) workload.begin();
      const beganMs = performance.now();
      await event.happen(cluster, leader);
      const happenedMs = performance.now();
      const isBack = (): boolean => workloads.every(({ lastMs }) => lastMs > happenedMs + CALM_MS);
      while (!isBack() && performance.now() - beganMs < RECOVERY_MAX_MS) await sleep(20);
      for (const { kind, gapMs, lastMs, errors } of workloads) {
        const openMs = performance.now() - lastMs;
        measured({ client: kind.name, event: event.name, gapMs: Math.max(gapMs, openMs), errors });
      }
      await event.heal(cluster, leader);
    }
  } finally {
    for (const workload of workloads) workload.end();
  }
  const leader = await cluster.leader();
  for (const { key, acknowledged, kind } of workloads) {
    const found = new Set((await cluster.ask(leader, 'LRANGE', key, '0', '-1')) as string[]);
    const lost = acknowledged.filter((value) => !found.has(value));
    if (lost.length > 0) throw new Error(`${kind.name}: ${lost.length} acknowledged writes are lost`);
  }
}
