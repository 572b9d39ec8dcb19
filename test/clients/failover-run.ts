/**
 * Real clients write and read while leadership is lost or moves: how long each is without an answer, and
 * whether an acknowledged write is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessCluster } from '../cluster/processes.js';
import type { ClientKind, ProgramKind } from './failover-clients.js';
import { type ClusterEvent, settled } from './failover-events.js';
import { LibraryWorkload, ProgramWorkload, type Workload } from './workload.js';

export interface Measured {
  readonly client: string;
  readonly event: string;
  /** The longest time between two acknowledged writes, from the event until both go on. */
  readonly gapMs: number;
  /** The same of reads. */
  readonly readGapMs: number;
  /** What the client's user saw, until the next event. */
  readonly errors: readonly string[];
  /** It did not come back by itself, not even to the whole cluster: another one was started in its place. */
  readonly isLost: boolean;
}

/** 200 writes a second, and as many reads; programs of other languages know it, too. */
const PACE_MS = 5;
const CALM_MS = 1000;
/** So long a client has for finding the new leader before the cluster is healed. */
const RECOVERY_MAX_MS = 8000;
/** And so long once it is whole again: then it would need a restart. */
const LOST_MS = 10_000;

type Kind = ClientKind | ProgramKind;

/** One kind of client: those before the last were lost. */
class Participant {
  readonly workloads: Workload[] = [];

  constructor(readonly kind: Kind) {}

  async start(ports: readonly number[], paceMs: number): Promise<void> {
    const { kind, workloads } = this;
    workloads.at(-1)?.end();
    const key = `${kind.name} ${workloads.length}`;
    workloads.push(
      'connect' in kind
        ? await LibraryWorkload.start(kind, key, ports, paceMs)
        : await ProgramWorkload.start(kind, key, ports),
    );
  }

  get current(): Workload {
    return this.workloads.at(-1)!;
  }
}

/**
 * Lets events happen to three nodes while clients work.
 *
 * @throws Error when an acknowledged write is lost, or a read is stale
 */
export async function measureFailover(
  cluster: ProcessCluster,
  kinds: readonly Kind[],
  events: readonly ClusterEvent[],
  measured: (result: Measured) => void,
  paceMs = PACE_MS,
): Promise<void> {
  const participants = kinds.map((kind) => new Participant(kind));
  try {
    for (const participant of participants) await participant.start(cluster.ports, paceMs);
    for (const event of events)
      for (const lost of await measureEvent(cluster, participants, event, measured))
        await lost.start(cluster.ports, paceMs);
  } finally {
    for (const { workloads } of participants) workloads.at(-1)?.end();
  }
  const leader = await cluster.leader();
  for (const { key, acknowledged, stale } of participants.flatMap(({ workloads }) => workloads)) {
    const found = new Set((await cluster.ask(leader, 'LRANGE', key, '0', '-1')) as string[]);
    const lost = acknowledged.filter((value) => !found.has(value));
    if (acknowledged.length === 0) throw new Error(`${key} has written nothing`);
    if (lost.length > 0) throw new Error(`${key}: ${lost.length} acknowledged writes are lost`);
    if (stale.length > 0) throw new Error(`${key}: ${stale.length} stale reads: ${stale[0]}`);
  }
}

/** Returns who did not come back. */
async function measureEvent(
  cluster: ProcessCluster,
  participants: readonly Participant[],
  event: ClusterEvent,
  measured: (result: Measured) => void,
): Promise<Participant[]> {
  const missing = (sinceMs: number): Participant[] =>
    participants.filter(({ current }) => !current.isBackSince(sinceMs + CALM_MS));
  const areBack = async (sinceMs: number, withinMs: number): Promise<Participant[]> => {
    while (missing(sinceMs).length > 0 && performance.now() - sinceMs < withinMs) await sleep(20);
    return missing(sinceMs);
  };
  const leader = await cluster.leader();
  await settled(cluster);
  await sleep(CALM_MS);
  for (const { current } of participants) current.begin();
  await event.happen(cluster, leader);
  await areBack(performance.now(), RECOVERY_MAX_MS);
  const gaps = participants.map(({ current }) => [current.writes.gapMs, current.reads.gapMs] as const);
  await event.heal(cluster, leader);
  await settled(cluster);
  const lost = await areBack(performance.now(), LOST_MS);
  for (const [i, participant] of participants.entries()) {
    const { writes, reads } = participant.current;
    const [gapMs, readGapMs] = gaps[i];
    const errors = [...writes.errors, ...reads.errors];
    const isLost = lost.includes(participant);
    measured({ client: participant.kind.name, event: event.name, gapMs, readGapMs, errors, isLost });
  }
  return lost;
}
