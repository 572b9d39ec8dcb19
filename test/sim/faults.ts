/**
 * What goes wrong, carried out. A fault that makes no sense when its time comes (nobody leads, the machine is
 * off) does nothing.
 */
import { majority, type NodeId } from '../../raft/index.js';
import { scanLog } from '../../raft/node/wal/scan.js';
import type { Machine } from './machine.js';
import type { Fault, Reflex } from './plan.js';
import type { World } from './world.js';

export function applyFault(world: World, fault: Fault): void {
  world.counts.faults++;
  const { loop, network, machines } = world;
  const heals = (forMs: number, heal: () => void): void => {
    loop.after(forMs, () => {
      if (!world.isCalm) heal();
    });
  };
  if (fault.kind === 'reflex') {
    world.reflexes.push({ reflex: fault, left: fault.times });
    return;
  }
  if (fault.kind === 'weather') {
    world.trace('operator', `weather ${JSON.stringify(fault.weather)}`);
    const before = network.weather;
    network.weather = fault.weather;
    heals(fault.forMs, () => {
      network.weather = before;
    });
    return;
  }
  if (fault.kind === 'partition') {
    const name = (place: number): string => (place < 0 ? `c${-place}` : `m${place}`);
    const [left, right] = fault.sides as [number[], number[]];
    const links = left.flatMap((a) =>
      right.flatMap((b) => [`${name(a)}>${name(b)}`, `${name(b)}>${name(a)}`]),
    );
    cut(world, links, fault.forMs, `partition ${left.map(name)} | ${right.map(name)}`);
    return;
  }
  if (fault.kind === 'power cut of all') {
    for (const machine of machines)
      if (machine.running !== undefined) restartAfter(machine, 'power cut', fault.forMs);
    return;
  }
  if (fault.kind === 'lying pulses') {
    world.trace('operator', `pulses lie for ${fault.forMs.toFixed(0)} ms`);
    world.lieUntilMs = loop.nowMs + fault.forMs;
    lie(world);
    return;
  }
  if (fault.kind === 'thin links') {
    world.trace('operator', `links carry ${fault.bytesPerMs} bytes a millisecond`);
    network.bytesPerMs = fault.bytesPerMs;
    heals(fault.forMs, () => network.widen());
    return;
  }
  if (fault.kind === 'stale leader') {
    const target = world.leader?.number;
    if (target === undefined) return;
    const { atMs, forMs, rate } = fault;
    applyFault(world, { atMs, kind: 'isolate', target, forMs });
    applyFault(world, { atMs, kind: 'clock drift', target, forMs, rate });
    return;
  }
  const machine = fault.target === 0 ? world.leader : machines[fault.target - 1];
  if (machine === undefined) return;
  const { name } = machine;
  switch (fault.kind) {
    case 'isolate':
    case 'one-way cut': {
      const outgoing = machines.map((other) => `${name}>${other.name}`);
      const incoming = machines.map((other) => `${other.name}>${name}`);
      const links =
        fault.kind === 'isolate' ? [...outgoing, ...incoming] : fault.isOutgoing ? outgoing : incoming;
      cut(world, links, fault.forMs, `${fault.kind} ${name}`);
      break;
    }
    case 'pause': {
      const { running } = machine;
      if (running === undefined) break;
      machine.log(`stands still for ${fault.forMs.toFixed(0)} ms`);
      running.process.pause();
      heals(fault.forMs, () => running.process.resume());
      break;
    }
    case 'kill':
    case 'power cut':
    case 'stop':
      if (machine.running !== undefined) restartAfter(machine, fault.kind, fault.forMs);
      break;
    case 'disk error':
      machine.orderedFault = { operation: fault.operation, code: 'EIO' };
      break;
    case 'full disk':
      machine.log('its disk is full');
      machine.diskFaults++;
      machine.disk.options.capacityBytes = machine.disk.usedBytes() + 200;
      heals(fault.forMs, () => {
        machine.disk.options.capacityBytes = undefined;
      });
      break;
    case 'slow disk':
      machine.syncMs = fault.syncMs;
      heals(fault.forMs, () => {
        machine.syncMs = 1;
      });
      break;
    case 'hung disk':
      machine.log(`its disk hangs for ${fault.forMs.toFixed(0)} ms`);
      machine.hungUntilMs = loop.nowMs + fault.forMs;
      break;
    case 'long applies':
      machine.log(`applies take up to ${fault.applyMs} ms`);
      machine.applyMs = fault.applyMs;
      heals(fault.forMs, () => {
        machine.applyMs = 0;
      });
      break;
    case 'bit flip':
      void flipBit(world, machine, fault.where, fault.inSnapshot).catch((error: Error) =>
        world.invariants.violate('no crash', error.stack!),
      );
      break;
    case 'clock jump':
      machine.log(`its clock jumps by ${fault.byMs} ms`);
      machine.clock.offsetMs += fault.byMs;
      world.skewMs += 2 * Math.abs(fault.byMs);
      break;
    case 'clock drift':
      machine.log(`its clock runs at ${fault.rate}`);
      machine.clock.setRate(fault.rate);
      world.skewMs += 2 * Math.abs(fault.rate - 1) * fault.forMs + 5;
      heals(fault.forMs, () => machine.clock.setRate(1));
      break;
    case 'snapshot':
      machine.node?.takeSnapshot().catch((error: Error) => machine.log(`snapshot failed: ${error.message}`));
      break;
    case 'transfer': {
      const { leader } = world;
      if (leader === undefined) break;
      const to =
        fault.target === 0 ? machines.find((other) => other !== leader && other.node !== undefined) : machine;
      if (to !== undefined && leader.node!.transferLeadership(to.nodeId))
        leader.log(`hands over to node ${to.nodeId}`);
      break;
    }
    case 'campaign':
      // A campaign ahead of its time forgets a leader to whom the node has promised its vote.
      world.campaignedAtMs = world.loop.nowMs;
      machine.node?.campaign();
      break;
    case 'add':
      add(world, machine);
      break;
    case 'promote':
      world.administer({ kind: 'promote', id: machine.nodeId }, undefined, 30);
      break;
    case 'remove':
      remove(world, machine);
      break;
    case 'replace':
      replace(world, machine);
      break;
  }
}

/** Something happened on a node: what was laid down for that moment follows. */
export function react(world: World, when: Reflex['when'], machine: Machine): void {
  for (const pending of world.reflexes) {
    const { reflex } = pending;
    if (world.isCalm || reflex.when !== when || pending.left === 0) continue;
    pending.left--;
    const others = world.machines.filter((other) => other !== machine && other.running !== undefined);
    const struck =
      reflex.whom === 'itself'
        ? [machine]
        : reflex.whom === 'another'
          ? others.slice(pending.left % 2, (pending.left % 2) + 1)
          : others;
    world.loop.after(reflex.delayMs, () => {
      for (const { number } of struck) {
        if (world.isCalm) return;
        const { brings: kind, forMs } = reflex;
        applyFault(world, { atMs: world.loop.nowMs, kind, target: number, forMs } as Fault);
      }
    });
  }
}

/** Anybody's pulse, of about the right term. */
function lie(world: World): void {
  const { loop, lies, machines } = world;
  if (world.isCalm || loop.nowMs > world.lieUntilMs) return;
  const term = Math.max(0, ...machines.map((machine) => machine.node?.status().term ?? 0));
  const pulse = {
    from: lies.pick(machines).nodeId,
    term: Math.max(0, term + lies.pick([0, 0, 0, -1, 1])),
    leads: lies.chance(0.6),
  };
  const { running } = lies.pick(machines);
  running?.process.run(() => running.handler?.onPulse(pulse));
  loop.after(lies.between(5, 60), () => lie(world));
}

function cut(world: World, links: readonly string[], forMs: number, what: string): void {
  world.trace('operator', `${what} for ${forMs.toFixed(0)} ms`);
  world.network.cut(links);
  world.loop.after(forMs, () => {
    if (!world.isCalm) world.network.cut(links, -1);
  });
}

function restartAfter(machine: Machine, how: 'kill' | 'power cut' | 'stop', forMs: number): void {
  const { world } = machine;
  const dueAtMs = world.loop.nowMs + forMs;
  const start = (): void => {
    world.loop.after(Math.max(0, dueAtMs - world.loop.nowMs), () => machine.start());
  };
  if (how === 'stop') {
    // It may take long, on a slow disk or a machine that stands still.
    machine.stop().then(start, (error: Error) => world.invariants.violate('no crash', error.stack!));
    return;
  }
  if (how === 'kill') machine.kill();
  else machine.cutPower();
  start();
}

/** A node joins: a fresh one where the old one was removed. */
function add(world: World, machine: Machine): void {
  const { members, removed } = world.membership;
  if (members.some((member) => member.id === machine.nodeId)) return;
  if (removed.includes(machine.nodeId)) {
    // A removal that is only proposed may be undone: its node is still a voter, whose disk the cluster may
    // need.
    if (!world.invariants.membership?.removed.includes(machine.nodeId)) return;
    // Somebody tries what must not work: the removed id comes back.
    world.administer({ kind: 'add-learner', id: machine.nodeId, address: machine.address }, undefined, 5);
    machine.wipe();
  }
  if (machine.state === 'off') machine.start();
  const id = machine.nodeId;
  world.administer({ kind: 'add-learner', id, address: machine.address }, () => {
    world.loop.after(200, () => world.administer({ kind: 'promote', id }, undefined, 40));
  });
}

function remove(world: World, machine: Machine): void {
  const id = machine.nodeId;
  world.administer({ kind: 'remove', id }, undefined, 20, () => leavesMajority(world, id));
}

/** Whether the voters but for `id` have a majority of sound ones. */
function leavesMajority(world: World, id: NodeId): boolean {
  const voters = world.membership.members.filter((member) => !member.learner);
  const others = voters.filter((voter) => voter.id !== id);
  const sound = others.filter((voter) => {
    const machine = world.machineOf(voter.id);
    return machine !== undefined && !machine.isDoubtful;
  });
  return others.length === voters.length || sound.length >= majority(others.length);
}

/** A machine loses its disk; a new node takes the old one's place, by the book: remove, then add. */
function replace(world: World, machine: Machine): void {
  if (machine.state !== 'refused' && !world.canLose(machine)) return;
  const old = machine.nodeId;
  machine.wipe();
  world.administer({ kind: 'remove', id: old }, () => add(world, machine));
}

/** Power fails, and something flips a bit of what was safely stored. */
async function flipBit(world: World, machine: Machine, where: number, inSnapshot: boolean): Promise<void> {
  if (machine.state !== 'up' || !world.canLose(machine)) return;
  machine.cutPower();
  machine.mayRefuse = true;
  const { disk } = machine;
  const paths = disk.paths().filter((path) => path.endsWith(inSnapshot ? '.snap' : '.wal'));
  if (paths.length > 0) {
    const path = inSnapshot ? paths.at(-1)! : paths[Math.floor(where * paths.length)]!;
    const bytes = disk.contents(path);
    const places = inSnapshot ? [...bytes.keys()] : await checkedBytes(machine, path, bytes);
    if (places.length > 0) {
      const at = places[Math.floor(where * 7919 * places.length) % places.length]!;
      bytes[at]! ^= 1 << (Math.floor(where * 1e9) & 7);
      disk.put(path, bytes);
      // An older snapshot may serve in place of a damaged one.
      machine.isDamaged = !inSnapshot;
      machine.log(`a bit of ${path} flips at ${at}`);
    }
  }
  world.loop.after(100, () => machine.start());
}

/** The places in a segment that are known to be durable and that its checksums cover. */
async function checkedBytes(machine: Machine, path: string, bytes: Buffer): Promise<number[]> {
  const { segments, synced } = await scanLog(machine.disk.copy({}), '/data/log', machine.nodeId * 7919, {
    record() {},
  });
  const segment = segments.find((one) => one.path === path);
  if (segment?.header === undefined) return [];
  const durable = Math.min(segment.end, synced - segment.header.base);
  const places: number[] = [];
  for (let start = 16; start < durable; ) {
    const end = start + 24 + bytes.readUInt32LE(start);
    const next = (end + 7) & ~7;
    if (next > durable) break;
    for (let at = start; at < end; at++) places.push(at);
    start = next;
  }
  return places;
}
