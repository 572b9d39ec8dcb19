/**
 * What goes wrong: drawn from the seed, carried out on real processes. A fault that makes no sense when its
 * time comes does nothing.
 */
import type { Random } from '../sim/random.js';
import { sleep } from './clients.js';
import { fillDisk, limitFiles, tearTail } from './disk-faults.js';
import { addInvited, moveNode, removeAndReturn, replaceNode, transfer } from './member-faults.js';
import type { ChaosNode } from './nodes.js';
import type { BlockMode } from './proxy.js';
import { freeLeader, on, type Storm, someFollower } from './storm.js';

/** How likely each kind is. */
export const faultWeights = {
  'kill leader': 4,
  'kill follower': 3,
  'kill majority': 1,
  'kill all': 1,
  'kill new leaders': 1.5,
  'kill again and again': 2,
  'kill in a snapshot': 2,
  'stop node': 1.5,
  'stop all': 0.5,
  'pause leader': 3,
  'pause follower': 2,
  'pause all': 0.5,
  'isolate leader': 3,
  'isolate follower': 2,
  split: 2,
  bridge: 1,
  'deaf leader': 1.5,
  'mute leader': 1.5,
  'one-way cut': 2,
  'flapping link': 1,
  'slow links': 2,
  'broken connections': 3,
  'cut clients': 1.5,
  'full disk': 1,
  'file size limit': 1,
  'torn tail': 2.5,
  snapshot: 2,
  transfer: 2,
  'remove and add': 1,
  'replace node': 1,
  'invite node': 0.7,
  'move node': 0.7,
  'change durability': 0.7,
} as const;

export type FaultKind = keyof typeof faultWeights;

export interface Fault {
  readonly kind: FaultKind;
  /** Since the storm began. */
  readonly atMs: number;
  readonly forMs: number;
  /** Chooses among the nodes that are there when the time comes, and all else that is left open. */
  readonly seed: number;
}

/** The faults of a storm. Most last shorter than a second or two, some as long as several elections. */
export function drawFaults(random: Random, stormMs: number, only: readonly FaultKind[]): Fault[] {
  const weights =
    only.length === 0 ? faultWeights : Object.fromEntries(only.map((kind) => [kind, faultWeights[kind]]));
  const meanGapMs = random.pick([700, 1500, 3000]);
  const faults: Fault[] = [];
  for (let atMs = random.between(200, 1500); atMs < stormMs; atMs += random.exponential(meanGapMs)) {
    const forMs = random.pick([
      random.between(20, 300),
      random.between(300, 1200),
      random.between(1000, 3000),
      random.between(2500, 6000),
    ]);
    faults.push({
      kind: random.weighted<FaultKind>(weights),
      atMs,
      forMs: Math.min(forMs, stormMs - atMs),
      seed: random.bits(),
    });
  }
  return faults;
}

async function killAndRestart(storm: Storm, nodes: readonly (ChaosNode | undefined)[]): Promise<boolean> {
  const done = await Promise.all(
    nodes.map((node) =>
      on(node, 'kill', async (one) => {
        await one.kill();
        // Not all at one instant: some find the others there, some do not.
        await storm.wait(storm.forMs * storm.random.between(0.3, 1));
        one.start();
      }),
    ),
  );
  return done.some(Boolean);
}

/** A process that does not get to its feet: killed while it starts, recovers, catches up. */
function killAgainAndAgain(storm: Storm, node: ChaosNode | undefined): Promise<boolean> {
  const { random } = storm;
  return on(node, 'kill', async (one) => {
    for (let left = 2 + random.below(6); left > 0 && !storm.isOver(); left--) {
      await one.kill();
      one.start();
      await storm.wait(random.between(0, 900));
    }
  });
}

/** Snapshots are cut on some nodes, and one of these dies over it. */
async function killInSnapshot(storm: Storm): Promise<boolean> {
  const { cluster, random } = storm;
  const { free } = cluster;
  if (free.length === 0) return false;
  const victim = random.pick(free);
  for (const node of free) if (node === victim || random.chance(0.5)) void node.ask(20_000, 'RAFTSNAPSHOT');
  await sleep(random.pick([random.between(0, 20), random.between(0, 400)]));
  return killAndRestart(storm, [victim]);
}

async function stopAndStart(storm: Storm, nodes: readonly (ChaosNode | undefined)[]): Promise<boolean> {
  const done = await Promise.all(
    nodes.map((node) =>
      on(node, 'stop', async (one) => {
        await one.stop();
        await storm.wait(storm.forMs * storm.random.next());
        one.start();
      }),
    ),
  );
  return done.some(Boolean);
}

async function changeDurability({ cluster, random }: Storm): Promise<boolean> {
  // Where the disk's promises are put to the test they are not taken back.
  if (cluster.profile.durability === 'high' || cluster.free.length === 0) return false;
  const level = random.pick(['low', 'medium', 'high']);
  const answer = await random.pick(cluster.free).ask(5000, 'CONFIG', 'SET', 'durability', level);
  cluster.journal.note('operator', `CONFIG SET durability ${level} -> ${answer}`);
  return answer === 'OK';
}

async function pause(storm: Storm, nodes: readonly (ChaosNode | undefined)[]): Promise<boolean> {
  const done = await Promise.all(
    nodes.map((node) =>
      on(node, 'pause', async (one) => {
        one.signal('SIGSTOP');
        await storm.wait(storm.forMs);
        one.signal('SIGCONT');
      }),
    ),
  );
  return done.some(Boolean);
}

const modes: readonly BlockMode[] = ['stall', 'stall', 'drop', 'refuse'];

async function block(storm: Storm, links: readonly string[], what: string): Promise<boolean> {
  const { cluster, random, forMs, wait } = storm;
  const mode = random.pick(modes);
  cluster.journal.note('operator', `${what}: ${mode} ${links.join(' ')} for ${forMs.toFixed(0)} ms`);
  const heal = cluster.network.block(links, mode);
  await wait(forMs);
  heal();
  cluster.journal.note('operator', `${what} is over`);
  return true;
}

const both = (left: readonly string[], right: readonly string[]): string[] =>
  left.flatMap((a) => right.flatMap((b) => [`${a}>${b}`, `${b}>${a}`]));

/**
 * Everybody but one, clients too in some cases: an isolated leader may still be heard by those who should not
 * listen.
 */
function surroundings(storm: Storm, node: ChaosNode): string[] {
  const { cluster, random, clients } = storm;
  const others = cluster.nodes.filter((other) => other !== node).map((other) => other.name);
  return random.chance(0.4) ? [...others, ...clients.filter(() => random.chance(0.5))] : others;
}

async function isolate(storm: Storm, node: ChaosNode | undefined): Promise<boolean> {
  return (
    node !== undefined && block(storm, both([node.name], surroundings(storm, node)), `isolate ${node.name}`)
  );
}

async function split(storm: Storm, hasBridge: boolean): Promise<boolean> {
  const { cluster, random, clients } = storm;
  const names = cluster.nodes.map((node) => node.name);
  for (let i = names.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [names[i], names[j]] = [names[j]!, names[i]!];
  }
  const bridge = hasBridge ? names.shift() : undefined;
  const place = 1 + random.below(names.length - 1);
  const left = names.slice(0, place);
  const right = names.slice(place);
  for (const client of clients) random.pick([left, right, []]).push(client);
  const what = bridge === undefined ? 'split' : `split with ${bridge} between`;
  return block(storm, both(left, right), what);
}

async function oneWay(storm: Storm, node: ChaosNode | undefined, isOutgoing: boolean): Promise<boolean> {
  if (node === undefined) return false;
  const others = surroundings(storm, node);
  const links = others.map((other) => (isOutgoing ? `${node.name}>${other}` : `${other}>${node.name}`));
  return block(storm, links, `${node.name} ${isOutgoing ? 'is not heard' : 'hears nothing'}`);
}

async function flap(storm: Storm): Promise<boolean> {
  const { cluster, random, wait, isOver } = storm;
  const node = cluster.leader ?? random.pick(cluster.nodes);
  const other = random.pick(cluster.nodes.filter((one) => one !== node));
  const links = both([node.name], [other.name]);
  cluster.journal.note('operator', `the link ${node.name} - ${other.name} flaps`);
  for (let i = 0; i < 12 && !isOver(); i++) {
    const heal = cluster.network.block(links, random.pick(modes));
    await wait(random.between(20, 400));
    heal();
    await wait(random.between(20, 400));
  }
  return true;
}

async function slowLinks(storm: Storm): Promise<boolean> {
  const { cluster, random, forMs, wait } = storm;
  const names = cluster.nodes.map((node) => node.name);
  const links = both(names, names).filter(() => random.chance(0.5));
  const slowness = {
    delayMs: random.pick([5, 30, 120, 400]),
    jitterMs: random.pick([0, 20, 200]),
    bytesPerSecond: random.pick([undefined, undefined, 200_000, 2_000_000]),
  };
  cluster.journal.note('operator', `slow links ${JSON.stringify(slowness)}: ${links.join(' ')}`);
  const heal = cluster.network.slowDown(links, slowness);
  await wait(forMs * 2);
  heal();
  return true;
}

/** For some seconds nobody leads for long: whoever is elected is killed within a tenth of a second. */
async function killNewLeaders(storm: Storm): Promise<boolean> {
  const { cluster, random, isOver } = storm;
  const { term } = cluster;
  let killed = 0;
  let last = term;
  const restarts: Promise<unknown>[] = [];
  for (const deadline = performance.now() + 2000 + storm.forMs; performance.now() < deadline && !isOver(); ) {
    await Promise.all(cluster.nodes.filter((node) => node.isUp).map((node) => cluster.look(node)));
    const leader = freeLeader(storm);
    if (leader !== undefined && (cluster.term > last || killed === 0)) {
      last = cluster.term;
      killed++;
      await sleep(random.between(0, 100));
      restarts.push(killAndRestart({ ...storm, forMs: random.between(50, 800) }, [leader]));
    }
    await sleep(15);
  }
  await Promise.all(restarts);
  return killed > 0;
}

/** Carries a fault out, to its end. Returns whether it came to anything. */
export function carryOut(kind: FaultKind, storm: Storm): Promise<boolean> {
  const { cluster, random, clients } = storm;
  const { nodes } = cluster;
  const most = Math.floor(nodes.length / 2) + 1;
  const shuffled = [...nodes].sort(() => random.next() - 0.5);
  switch (kind) {
    case 'kill leader':
      return killAndRestart(storm, [freeLeader(storm)]);
    case 'kill follower':
      return killAndRestart(storm, [someFollower(storm)]);
    case 'kill majority':
      return killAndRestart(
        storm,
        shuffled.slice(0, most).filter((node) => node.isRunning),
      );
    case 'kill all':
      return killAndRestart(
        storm,
        shuffled.filter((node) => node.isRunning),
      );
    case 'kill new leaders':
      return killNewLeaders(storm);
    case 'stop node':
      return stopAndStart(storm, [random.pick(cluster.free)]);
    case 'stop all':
      return stopAndStart(storm, cluster.free);
    case 'kill again and again':
      return killAgainAndAgain(storm, random.pick(cluster.free));
    case 'kill in a snapshot':
      return killInSnapshot(storm);
    case 'pause leader':
      return pause(storm, [freeLeader(storm)]);
    case 'pause follower':
      return pause(storm, [someFollower(storm)]);
    case 'pause all':
      return pause(
        storm,
        nodes.filter((node) => node.isUp),
      );
    case 'isolate leader':
      return isolate(storm, cluster.leader);
    case 'isolate follower':
      return isolate(storm, random.pick(nodes.filter((node) => node !== cluster.leader)));
    case 'split':
      return split(storm, false);
    case 'bridge':
      return split(storm, true);
    case 'deaf leader':
      return oneWay(storm, cluster.leader, false);
    case 'mute leader':
      return oneWay(storm, cluster.leader, true);
    case 'one-way cut':
      return oneWay(storm, random.pick(nodes), random.chance(0.5));
    case 'flapping link':
      return flap(storm);
    case 'slow links':
      return slowLinks(storm);
    case 'broken connections':
      cluster.network.breakMidByte(1 + random.below(8));
      return Promise.resolve(true);
    case 'cut clients': {
      const cut = clients.filter(() => random.chance(0.5));
      const node = random.pick(nodes);
      return block(storm, both(cut, [node.name]), `clients of ${node.name} are cut off`);
    }
    case 'full disk':
      return fillDisk(storm);
    case 'file size limit':
      return limitFiles(storm);
    case 'torn tail':
      return tearTail(storm);
    case 'snapshot':
      for (const node of cluster.free) {
        if (random.chance(0.6)) void node.ask(20_000, 'RAFTSNAPSHOT');
      }
      return Promise.resolve(true);
    case 'transfer':
      return transfer(storm);
    case 'remove and add':
      return removeAndReturn(storm);
    case 'replace node':
      return replaceNode(storm);
    case 'invite node':
      return addInvited(storm);
    case 'move node':
      return moveNode(storm);
    case 'change durability':
      return changeDurability(storm);
  }
}
