/** What happens to a cluster of processes while clients work. */

import { until } from '../cluster/nodes.js';
import type { ProcessCluster } from '../cluster/processes.js';
import { Random } from '../sim/random.js';

export interface ClusterEvent {
  readonly name: string;
  /** Whether the node that leads is asked, so that its clients need not see an error. */
  readonly isGraceful: boolean;
  /** Returns once it has happened. */
  happen(cluster: ProcessCluster, leader: number): Promise<void>;
  /** Brings the cluster back to full strength. */
  heal(cluster: ProcessCluster, leader: number): Promise<void>;
}

const nothing = async (): Promise<void> => {};

async function stop(cluster: ProcessCluster, i: number): Promise<void> {
  await cluster.processes[i]?.end('SIGTERM');
  cluster.processes[i] = undefined;
}

const restart = async (cluster: ProcessCluster, i: number): Promise<void> => void (await cluster.spawn(i));

/** Waits until all that runs are members and have what the leader has committed. */
export async function settled(cluster: ProcessCluster): Promise<void> {
  const leader = await cluster.leader();
  const others = cluster.running.length - 1;
  await until(
    'all have caught up',
    async () => (await cluster.ask(leader, 'WAIT', `${others}`, '100')) === others,
  );
}

const transfer: ClusterEvent = {
  name: 'transfer',
  isGraceful: true,
  happen: async (cluster, leader) => void (await cluster.ask(leader, 'RAFTTRANSFER')),
  heal: nothing,
};

const gracefulStop: ClusterEvent = {
  name: 'graceful stop',
  isGraceful: true,
  happen: stop,
  heal: restart,
};

const kill: ClusterEvent = {
  name: 'kill -9',
  isGraceful: false,
  happen: (cluster, leader) => cluster.kill(leader),
  heal: restart,
};

const freeze: ClusterEvent = {
  name: 'SIGSTOP',
  isGraceful: false,
  happen: (cluster, leader) => cluster.freeze(leader),
  heal: async (cluster, leader) => cluster.thaw(leader),
};

const add: ClusterEvent = {
  name: 'add a member',
  isGraceful: true,
  happen: async (cluster) => {
    await cluster.add();
    await settled(cluster);
  },
  heal: nothing,
};

const remove: ClusterEvent = {
  name: 'remove the leader',
  isGraceful: true,
  happen: async (cluster, leader) => {
    const other = cluster.running.find((i) => i !== leader)!;
    const address = `127.0.0.1:${cluster.ports[leader]}`;
    // An answer may come too late on a busy machine: the next one says that it is gone.
    await until('it is taken out', async () =>
      /^OK$|no member has/.test(`${await cluster.ask(other, 'RAFTREMOVEPEER', address)}`),
    );
    await until('it has stopped by itself', () => cluster.processes[leader]!.isEnded);
    cluster.processes[leader] = undefined;
  },
  heal: nothing,
};

const rollingRestart: ClusterEvent = {
  name: 'rolling restart',
  isGraceful: true,
  happen: async (cluster) => {
    for (const i of cluster.running) {
      await stop(cluster, i);
      await restart(cluster, i);
      await settled(cluster);
    }
  },
  heal: nothing,
};

/** In the order of the table. */
export const clusterEvents: readonly ClusterEvent[] = [
  transfer,
  gracefulStop,
  rollingRestart,
  add,
  remove,
  kill,
  freeze,
];

export const briefEvents: readonly ClusterEvent[] = [transfer, kill];

/** How often each happens in a plan of full length. */
const shares: readonly (readonly [ClusterEvent, number])[] = [
  [transfer, 4],
  [gracefulStop, 4],
  [kill, 4],
  [freeze, 3],
  [add, 2],
  [remove, 2],
  [rollingRestart, 1],
];

/** Twenty events in random order. A member is taken out only where one has been added. */
export function drawPlan(seed: number): ClusterEvent[] {
  const random = new Random(seed);
  const plan = shares.flatMap(([event, count]) => Array.from({ length: count }, () => event));
  for (let i = plan.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [plan[i], plan[j]] = [plan[j], plan[i]];
  }
  let added = 0;
  const places = plan.flatMap((event, i) => (event === add || event === remove ? [i] : []));
  for (const [nth, i] of places.entries()) {
    const left = places.length - nth;
    const takes = added > 0 && (plan[i] === remove || left <= added);
    plan[i] = takes ? remove : add;
    added += takes ? -1 : 1;
  }
  return plan;
}
