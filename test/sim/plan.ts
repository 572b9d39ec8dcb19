/**
 * What a seed stands for: the cluster, what its clients will do, and what will go wrong. A plan can be cut
 * down and run again.
 */
import type { Durability } from '../../raft/node/index.js';
import type { Consistency } from '../../src/client/consistency.js';
import type { Weather } from './network.js';
import { Random } from './random.js';
import { type ClientOperation, drawOperations, withLargeValues } from './workload.js';

/** Small, so that runs of a few seconds roll segments, take snapshots and send them. */
export interface NodeSizes {
  readonly segmentBytes: number;
  readonly snapshotLogBytes: number;
  readonly logTailBytes: number;
}

/** What becomes of a machine. */
export type MachineState =
  | 'off'
  | 'starting'
  | 'up'
  /** It refuses to start: what it stored was damaged. */
  | 'refused'
  /** Its node was removed from the cluster, or never belonged to it. */
  | 'retired';

/** A machine by number; 0 stands for the one that leads when the time has come. */
export type Target = number;

export type Fault = { readonly atMs: number } & (
  | { readonly kind: 'weather'; readonly weather: Weather; readonly forMs: number }
  /** Links that carry nothing, by machine numbers; clients (negative numbers) are on either side. */
  | { readonly kind: 'partition'; readonly sides: readonly number[][]; readonly forMs: number }
  | {
      readonly kind: 'one-way cut';
      readonly target: Target;
      readonly isOutgoing: boolean;
      readonly forMs: number;
    }
  | { readonly kind: 'isolate'; readonly target: Target; readonly forMs: number }
  | { readonly kind: 'pause'; readonly target: Target; readonly forMs: number }
  | { readonly kind: 'kill' | 'power cut' | 'stop'; readonly target: Target; readonly forMs: number }
  | { readonly kind: 'power cut of all'; readonly forMs: number }
  | {
      readonly kind: 'disk error';
      readonly target: Target;
      readonly operation: 'write' | 'sync' | 'rename' | 'syncDirectory' | 'open' | 'unlink';
    }
  | { readonly kind: 'full disk'; readonly target: Target; readonly forMs: number }
  | { readonly kind: 'slow disk'; readonly target: Target; readonly syncMs: number; readonly forMs: number }
  | {
      readonly kind: 'bit flip';
      readonly target: Target;
      readonly where: number;
      readonly inSnapshot: boolean;
    }
  | { readonly kind: 'clock jump'; readonly target: Target; readonly byMs: number }
  | { readonly kind: 'clock drift'; readonly target: Target; readonly rate: number; readonly forMs: number }
  | {
      readonly kind: 'add' | 'promote' | 'remove' | 'transfer' | 'campaign' | 'replace';
      readonly target: Target;
    }
  | { readonly kind: 'snapshot'; readonly target: Target }
  /**
   * The leader is cut off from its peers, not from its clients, and its clock is so slow that it notices
   * late.
   */
  | { readonly kind: 'stale leader'; readonly rate: number; readonly forMs: number }
  /** Applying an entry takes up to so long, now and then, on one machine. */
  | {
      readonly kind: 'long applies';
      readonly target: Target;
      readonly applyMs: number;
      readonly forMs: number;
    }
  /** A disk takes what it is given and finishes no sync. */
  | { readonly kind: 'hung disk'; readonly target: Target; readonly forMs: number }
  /** Pulses that nobody sent, of any node and any term. */
  | { readonly kind: 'lying pulses'; readonly forMs: number }
  /** Appends take as long as their bytes need. */
  | { readonly kind: 'thin links'; readonly bytesPerMs: number; readonly forMs: number }
  /**
   * From now on, each time that something happens on a node, something befalls it or another one right
   * afterwards.
   */
  | ({ readonly kind: 'reflex' } & Reflex)
);

/** The moments at which promises are made, and what may happen at such a moment. */
export interface Reflex {
  readonly when: 'preCandidate' | 'candidate' | 'leader' | 'cut' | 'install' | 'start';
  readonly brings: 'kill' | 'power cut' | 'isolate' | 'pause' | 'campaign';
  readonly whom: 'itself' | 'another' | 'all others';
  readonly delayMs: number;
  readonly forMs: number;
  readonly times: number;
}

export type FaultKind = Fault['kind'];
/** Drawn apart, so that the runs of earlier seeds stay what they were. */
type BusyKind = 'long applies' | 'hung disk' | 'lying pulses' | 'thin links';
type DrawnKind = Exclude<FaultKind, BusyKind>;

export interface Plan {
  readonly seed: number;
  readonly founders: number;
  /** Machines that may ever take part. */
  readonly machines: number;
  readonly sizes: NodeSizes;
  /** Length of the time in which things go wrong. */
  readonly stormMs: number;
  readonly faults: readonly Fault[];
  readonly operations: readonly ClientOperation[];
  readonly clients: number;
  /** What followers do with what only the leader can do. */
  readonly follower: 'try' | 'forward';
  readonly durability: Durability;
  readonly consistency: Consistency;
  /** Whether subscribers and clients with caches listen. */
  readonly hasAudience: boolean;
  /** Whether, and how, all nodes are started once more at the end. */
  readonly lastRestart: 'none' | 'stop' | 'kill' | 'power cut';
}

/**
 * Weights of the faults; each run takes a part of them, so that runs differ (swarm testing, Groce et al.
 * 2012).
 */
const weights: Record<DrawnKind, number> = {
  weather: 3,
  partition: 3,
  'one-way cut': 3,
  isolate: 3,
  pause: 4,
  kill: 3,
  'power cut': 5,
  'power cut of all': 1,
  stop: 1,
  'disk error': 2,
  'full disk': 1,
  'slow disk': 2,
  'bit flip': 1,
  'clock jump': 2,
  'clock drift': 2,
  add: 2,
  promote: 2,
  remove: 1.5,
  replace: 1,
  transfer: 2,
  campaign: 1,
  snapshot: 2,
  reflex: 6,
  'stale leader': 3,
};

export function drawPlan(seed: number): Plan {
  const random = new Random(seed);
  const founders = random.pick([1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5, 7]);
  const machines = founders === 7 ? 7 : Math.min(7, founders + random.pick([0, 1, 2, 2]));
  const stormMs = random.between(2500, 7000);
  const clients = random.pick([2, 3, 4, 5]);
  const isSmall = random.chance(0.6);
  const chosen: Partial<Record<DrawnKind, number>> = {};
  for (const kind of Object.keys(weights) as DrawnKind[]) {
    if (random.chance(0.45)) chosen[kind] = weights[kind] * (random.chance(0.2) ? 4 : 1);
  }
  const count = Object.keys(chosen).length === 0 ? 0 : Math.floor(random.between(3, 22));
  const faults: Fault[] = [];
  for (let i = 0; i < count; i++) {
    faults.push(drawFault(random.weighted(chosen), random.between(100, stormMs), machines, clients, random));
  }
  const own = random.fork('stale leader');
  if (founders >= 3 && own.chance(0.3)) {
    const atMs = own.between(900, stormMs - 1500);
    faults.push({ atMs, kind: 'stale leader', rate: 0.2, forMs: own.between(2000, 3500) });
  }
  faults.push(...drawBusyFaults(random.fork('busy'), machines, stormMs));
  faults.sort((a, b) => a.atMs - b.atMs);
  return {
    seed,
    founders,
    machines,
    sizes: isSmall
      ? {
          segmentBytes: random.pick([2_000, 8_000, 30_000]),
          snapshotLogBytes: 6_000,
          logTailBytes: random.pick([0, 2_000]),
        }
      : { segmentBytes: 1_000_000, snapshotLogBytes: random.pick([20_000, 1_000_000]), logTailBytes: 10_000 },
    stormMs,
    faults,
    operations: drawSized(random.fork('large'), drawOperations(random.fork('operations'), clients, stormMs)),
    clients,
    follower: random.fork('follower').pick(['try', 'forward']),
    durability: random.fork('durability').pick(['high', 'high', 'high', 'medium', 'low']),
    consistency: random.fork('consistency').pick(['high', 'high', 'high', 'medium', 'low']),
    hasAudience: random.fork('audience').chance(0.4),
    lastRestart: random.pick(['none', 'stop', 'kill', 'power cut']),
  };
}

/** In a run of twelve, a few values are large, in a run of fifty up to 8 MB. */
function drawSized(random: Random, operations: ClientOperation[]): ClientOperation[] {
  if (!random.chance(0.08)) return operations;
  return withLargeValues(random, operations, random.pick([100_000, 400_000, 1_500_000, 8_000_000]));
}

function drawBusyFaults(random: Random, machines: number, stormMs: number): Fault[] {
  const faults: Fault[] = [];
  if (random.chance(0.5)) return faults;
  const count = 1 + random.below(4);
  for (let i = 0; i < count; i++) {
    const atMs = random.between(300, stormMs);
    const forMs = random.pick([random.between(300, 1200), random.between(1000, 3500)]);
    const target = random.chance(0.6) ? 0 : 1 + random.below(machines);
    const kind = random.pick<BusyKind>(['long applies', 'hung disk', 'lying pulses', 'thin links']);
    if (kind === 'long applies')
      faults.push({ atMs, kind, target, applyMs: random.pick([50, 800, 2500]), forMs });
    else if (kind === 'hung disk') faults.push({ atMs, kind, target, forMs });
    else if (kind === 'lying pulses') faults.push({ atMs, kind, forMs });
    else faults.push({ atMs, kind, bytesPerMs: random.pick([0.5, 5, 50]), forMs });
  }
  return faults;
}

function drawFault(kind: DrawnKind, atMs: number, machines: number, clients: number, random: Random): Fault {
  const target = random.chance(0.45) ? 0 : 1 + random.below(machines);
  const forMs = random.pick([random.between(10, 300), random.between(300, 1200), random.between(1000, 3000)]);
  switch (kind) {
    case 'weather':
      return {
        atMs,
        kind,
        forMs,
        weather: {
          loss: random.pick([0, 0.05, 0.3]),
          duplication: random.pick([0, 0.05, 0.3]),
          delayMs: random.pick([0.4, 5, 40]),
        },
      };
    case 'partition': {
      const places = [
        ...Array.from({ length: machines }, (_, i) => i + 1),
        ...Array.from({ length: clients }, (_, i) => -1 - i),
      ];
      const sides: number[][] = [[], []];
      for (const place of places) sides[random.below(2)]!.push(place);
      return { atMs, kind, forMs, sides };
    }
    case 'one-way cut':
      return { atMs, kind, forMs, target, isOutgoing: random.chance(0.5) };
    case 'disk error':
      return {
        atMs,
        kind,
        target,
        operation: random.pick([
          'write',
          'sync',
          'sync',
          'rename',
          'syncDirectory',
          'open',
          'unlink',
        ] as const),
      };
    case 'slow disk':
      return { atMs, kind, forMs, target, syncMs: random.pick([5, 30, 200]) };
    case 'bit flip':
      return { atMs, kind, target, where: random.next(), inSnapshot: random.chance(0.3) };
    case 'clock jump':
      return {
        atMs,
        kind,
        target,
        byMs: Math.floor(random.pick([50, 1000, 60_000]) * random.between(-1, 1)),
      };
    case 'clock drift':
      return { atMs, kind, forMs, target, rate: random.pick([0.5, 0.9, 1.1, 2]) };
    case 'power cut of all':
      return { atMs, kind, forMs: Math.min(forMs, 1000) };
    case 'kill':
    case 'power cut':
    case 'stop':
    case 'isolate':
    case 'pause':
    case 'full disk':
      return { atMs, kind, forMs, target };
    case 'snapshot':
      return { atMs, kind, target };
    case 'stale leader':
      return { atMs, kind, rate: random.pick([0.2, 0.5]), forMs: random.between(1200, 3000) };
    case 'reflex':
      return {
        atMs,
        kind,
        when: random.pick([
          'preCandidate',
          'candidate',
          'candidate',
          'leader',
          'leader',
          'cut',
          'install',
          'start',
        ] as const),
        brings: random.pick([
          'kill',
          'power cut',
          'power cut',
          'isolate',
          'pause',
          'campaign',
          'campaign',
        ] as const),
        whom: random.pick(['itself', 'another', 'all others'] as const),
        delayMs: random.pick([0, random.between(0, 2), random.between(0, 10), random.between(0, 60)]),
        forMs: random.pick([0, random.between(0, 5), random.between(0, 100), random.between(0, 1000)]),
        times: 1 + random.below(4),
      };
    default:
      return { atMs, kind, target };
  }
}
