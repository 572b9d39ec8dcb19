/**
 * Members that come and go while everything else goes wrong. Who is wiped is a new node; only one at a time
 * is.
 */

import type { ChaosNode } from './nodes.js';
import { on, type Storm, someFollower } from './storm.js';

/** What the product may say to an operator whose change cannot be made now. */
const refused = /^-(ERR|TRY|CLUSTERDOWN|UNKNOWN|LOADING)/;

/** Asks any node that runs; notes the answer. */
async function order(storm: Storm, ...command: string[]): Promise<string> {
  const { cluster, random } = storm;
  const { free } = cluster;
  if (free.length === 0) return 'nobody to ask';
  const node = random.pick(free);
  const answer = String(await node.ask(60_000, ...command));
  cluster.journal.note('operator', `${node.name}: ${command.join(' ')} -> ${answer}`);
  if (answer !== 'OK' && answer !== 'undefined' && !refused.test(answer))
    cluster.journal.violate('replies', `${node.name}: ${command.join(' ')} -> ${answer}`);
  return answer;
}

/** One change of members at a time: whose directory is lost must be replaced before another one's is. */
async function changing(storm: Storm, work: () => Promise<boolean>): Promise<boolean> {
  const { cluster } = storm;
  if (cluster.isChangingMembers) return false;
  cluster.isChangingMembers = true;
  try {
    return await work();
  } finally {
    cluster.isChangingMembers = false;
  }
}

/**
 * Waits until a node votes, or the storm is over: then it is left to those who mend. Now and then it is
 * killed on its way.
 */
async function untilVoter({ cluster, random, wait, isOver }: Storm, node: ChaosNode): Promise<void> {
  const perish = random.pick([0, 0.03, 0.15]);
  while (!isOver() && cluster.journal.violation === undefined) {
    const stats = node.isUp ? await node.stats() : undefined;
    if (stats?.vote === 'voter') return;
    if (random.chance(perish)) await node.kill();
    if (!node.isRunning) node.start();
    await wait(100);
  }
}

export async function transfer(storm: Storm): Promise<boolean> {
  const { random, cluster } = storm;
  const to = random.chance(0.5) ? [] : [random.pick(cluster.nodes).address];
  await order(storm, 'RAFTTRANSFER', ...to);
  return true;
}

/** RAFTREMOVEPEER; when the node has noticed, it comes back empty. */
export function removeAndReturn(storm: Storm): Promise<boolean> {
  const { cluster, random } = storm;
  return changing(storm, async () => {
    const node = random.chance(0.4) ? cluster.leader : someFollower(storm);
    return on(node, 'remove', async (one) => {
      one.mayBeRemoved = true;
      await order(storm, 'RAFTREMOVEPEER', one.address);
      for (let i = 0; i < 30 && one.isRunning && !storm.isOver(); i++) await storm.wait(100);
      if (one.isRunning) return;
      await storm.wait(storm.forMs / 2);
      // What it says counts, not what was ordered: the order may have been refused, and the node have ended
      // otherwise.
      if (one.saysRemoved) {
        one.wipe();
        one.joinAddresses = cluster.othersOf(one);
      }
      one.start();
      await untilVoter(storm, one);
    });
  });
}

/** A machine is lost with all that it held; an empty one takes its place. */
export function replaceNode(storm: Storm): Promise<boolean> {
  const { cluster } = storm;
  return changing(storm, async () => {
    const node = storm.random.chance(0.3) ? cluster.leader : someFollower(storm);
    // All others must be sound members: a majority of those that hold the promises stays.
    if (node === undefined || (await node.stats())?.vote !== 'voter') return false;
    const isWhole = await everybodyVotes(storm);
    if (!isWhole) return false;
    return on(node, 'replace', async (one) => {
      await one.kill();
      one.wipe();
      one.joinAddresses = cluster.othersOf(one);
      await storm.wait(storm.forMs / 2);
      one.start();
      await untilVoter(storm, one);
    });
  });
}

/** A member comes back at another address: it tells the others itself. */
export function moveNode(storm: Storm): Promise<boolean> {
  const { cluster, random } = storm;
  return changing(storm, () =>
    on(random.chance(0.3) ? cluster.leader : someFollower(storm), 'move', async (node) => {
      if (random.chance(0.5)) await node.kill();
      else await node.stop();
      await cluster.move(node);
      node.note(`is at ${node.address} from now on`);
      await storm.wait(storm.forMs / 2);
      node.start();
      await untilVoter(storm, node);
    }),
  );
}

async function everybodyVotes({ cluster }: Storm): Promise<boolean> {
  const { leader, nodes } = cluster;
  const stats = leader === undefined ? undefined : await leader.stats();
  if (stats?.state !== 'Leader' || Number(stats.members) !== nodes.length) return false;
  return nodes.every((_, i) => stats[`peer${i}`]?.includes('vote=voter'));
}

/** A node is removed, and waits, empty, at an address where nobody answers, until the operator invites it. */
export function addInvited(storm: Storm): Promise<boolean> {
  const { cluster } = storm;
  return changing(storm, () =>
    on(someFollower(storm), 'invite', async (node) => {
      node.mayBeRemoved = true;
      await order(storm, 'RAFTREMOVEPEER', node.address);
      for (let i = 0; i < 30 && node.isRunning && !storm.isOver(); i++) await storm.wait(100);
      if (node.isRunning) return;
      if (!node.saysRemoved) {
        node.start();
        return;
      }
      node.wipe();
      // Port 1 of this machine: nobody listens there.
      node.joinAddresses = ['127.0.0.1:1'];
      node.start();
      for (let i = 0; i < 40 && !storm.isOver(); i++) {
        await storm.wait(250);
        if ((await order(storm, 'RAFTADDPEER', node.address)) === 'OK') break;
        if (node.isUp) break;
      }
      await untilVoter(storm, node);
      node.joinAddresses = cluster.othersOf(node);
      if (node.isUp) return;
      // Nobody could invite it in time: it looks for the others itself.
      await node.kill();
      node.start();
    }),
  );
}
