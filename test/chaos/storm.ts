/** What a fault of the chaos test has at hand, and how it picks the nodes that it strikes. */
import type { Random } from '../sim/random.js';
import type { Cluster } from './cluster.js';
import type { ChaosNode } from './nodes.js';
import type { SmallDisks } from './small-disks.js';

/** What a fault is carried out with. */
export interface Storm {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly forMs: number;
  /** Waits, or until the storm is over. */
  readonly wait: (ms: number) => Promise<void>;
  readonly isOver: () => boolean;
  readonly clients: readonly string[];
  readonly disks: SmallDisks;
}

/** Takes a node for one fault, so that no other strikes it meanwhile, and gives it back whatever happens. */
export async function on(
  node: ChaosNode | undefined,
  fault: string,
  work: (node: ChaosNode) => Promise<void>,
): Promise<boolean> {
  if (node === undefined || node.fault !== undefined) return false;
  node.fault = fault;
  try {
    await work(node);
  } finally {
    node.fault = undefined;
  }
  return true;
}

/** A follower that runs and to which nothing is done. */
export function someFollower({ cluster, random }: Storm): ChaosNode | undefined {
  const candidates = cluster.free.filter((node) => node !== cluster.leader);
  return candidates.length === 0 ? undefined : random.pick(candidates);
}

/** The leader, if it runs and nothing is done to it. */
export function freeLeader({ cluster }: Storm): ChaosNode | undefined {
  return cluster.free.find((node) => node === cluster.leader);
}
