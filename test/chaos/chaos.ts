/** Clusters one after the other, each for some rounds, until time is over or something is found. */
import { join } from 'node:path';
import { Random } from '../sim/random.js';
import { commitName } from '../sim/report.js';
import type { Cleanup } from './cleanup.js';
import { Cluster, type Profile } from './cluster.js';
import { type FaultKind, faultWeights } from './faults.js';
import type { Journal } from './journal.js';
import type { LedgerClient } from './ledger.js';
import { NamespaceNetwork } from './namespaces.js';
import { Ports, ProxyNetwork } from './network.js';
import { checkDirectories, runRound } from './rounds.js';
import { SmallDisks } from './small-disks.js';

export interface ChaosOptions {
  readonly seed: number;
  /** Sizes of clusters, by turns. */
  readonly sizes: readonly number[];
  readonly roundsMax: number;
  /** Number of the first cluster: each has a seed of its own. */
  readonly from: number;
  /** By `performance.now()`; a round that has begun is brought to its end. */
  readonly endAt: number;
  readonly stormMs: number;
  readonly rate: number;
  readonly only: readonly FaultKind[];
  /** Undefined: as the seed says. */
  readonly largeBytesPerSecond: number | undefined;
  readonly firstPort: number | undefined;
  readonly useNamespaces: boolean;
  readonly root: string;
  /** Removes a cluster's files; does nothing where they are to be kept. */
  readonly discard: (directory: string) => void;
  readonly say: (line: string) => void;
}

/** What a cluster is like, by its seed. */
export function drawProfile(random: Random, size: number): Profile {
  const forwarding = Array.from({ length: size }, (_, i) => i).filter(() => random.chance(0.4));
  return {
    size,
    durability: random.weighted({ high: 7, medium: 1.5, low: 1.5 }),
    forwarding,
    // The most of these fill several segments of log a round: who was away then gets a snapshot.
    largeBytesPerSecond: random.pick([0, 200_000, 1_000_000, 8_000_000]),
  };
}

/** @returns whether all was clean */
export async function runChaos(options: ChaosOptions, journal: Journal, cleanup: Cleanup): Promise<boolean> {
  const { seed, sizes, roundsMax, from, endAt, say, root, firstPort } = options;
  const began = performance.now();
  let rounds = 0;
  let failovers = 0;
  let undecided = 0;
  say(`chaos: seed ${seed}, commit ${commitName()}`);
  for (let number = from; rounds < roundsMax && performance.now() < endAt; number++) {
    const random = new Random(seed).fork(`cluster ${number}`);
    const drawn = drawProfile(random.fork('profile'), sizes[(number - 1) % sizes.length]!);
    const profile = {
      ...drawn,
      largeBytesPerSecond: options.largeBytesPerSecond ?? drawn.largeBytesPerSecond,
    };
    const directory = join(root, `cluster${number}`);
    const disks = new SmallDisks(cleanup);
    let cluster: Cluster | undefined;
    const network = options.useNamespaces
      ? NamespaceNetwork.create(random.fork('network'), cleanup)
      : new ProxyNetwork(random.fork('network'), new Ports(firstPort), (id) => cluster?.nameOfId(id));
    const hasSmallDisk = disks.mount(join(directory, `n${1 + random.below(profile.size)}`));
    if (number === from && !hasSmallDisk)
      say(
        'no small disks (only root may mount them): full disks are left out, file size limits take their place',
      );
    cluster = await Cluster.start(profile, network, directory, random.fork('cluster'), journal, cleanup);
    const { size, durability, forwarding, largeBytesPerSecond } = profile;
    say(
      `cluster ${number}: ${size} nodes, durability ${durability}, ${forwarding.length} forward, ${largeBytesPerSecond / 1000} kB/s of large values`,
    );
    const kept: LedgerClient[] = [];
    const roundsOfCluster = 1 + random.below(4);
    for (let i = 1; i <= roundsOfCluster && rounds < roundsMax && journal.violation === undefined; i++) {
      if (i > 1 && performance.now() >= endAt) break;
      const before = { ...journal.counts };
      const failoversBefore = cluster.failovers;
      const roundBegan = performance.now();
      const result = await runRound({
        ...options,
        cluster,
        random: random.fork(`round ${i}`),
        disks,
        kept,
        number: i,
      });
      rounds++;
      undecided += result.undecided.length;
      const rose = (what: string): number => (journal.counts[what] ?? 0) - (before[what] ?? 0);
      say(
        `round ${number}.${i}: ${journal.violation === undefined ? 'clean' : 'FAILED'}, ${result.faults} faults, ${rose('operations')} operations, ${rose('unknown')} unknown, ` +
          `${cluster.failovers - failoversBefore} failovers, even after ${(result.settleMs / 1000).toFixed(1)} s, ${((performance.now() - roundBegan) / 1000).toFixed(0)} s`,
      );
      for (const why of result.undecided) say(`  undecided: ${why}`);
    }
    failovers += cluster.failovers;
    journal.count('snapshots sent', network.links?.snapshots ?? 0);
    journal.count('connections broken', network.links?.resets ?? 0);
    await cluster.stop();
    if (journal.violation === undefined) await checkDirectories(cluster);
    if (journal.violation !== undefined) {
      const { check, message } = journal.violation;
      say(`\n${check}: ${message}\n\nseed ${seed}, cluster ${number}, commit ${commitName()}`);
      say(`again: npm run chaos -- --seed ${seed} --from ${number} --nodes ${profile.size}\n`);
      say(journal.tail(40));
      break;
    }
    disks.unmountAll();
    options.discard(directory);
  }
  const { operations = 0, unknown = 0, digests = 0 } = journal.counts;
  const kinds = Object.keys(faultWeights).map((kind) => [kind, journal.counts[kind] ?? 0] as const);
  const faults = kinds.reduce((sum, [, count]) => sum + count, 0);
  say(
    `${rounds} rounds in ${((performance.now() - began) / 60_000).toFixed(1)} min, ${journal.violation === undefined ? 'all clean' : 'the last one FAILED'}: ` +
      `${faults} faults, ${operations} operations, ${unknown} unknown, ${failovers} failovers, ${undecided} undecided, ${digests} digests compared, ` +
      ['snapshots sent', 'connections broken', 'tails cut', 'torn entries']
        .map((what) => `${journal.counts[what] ?? 0} ${what}`)
        .join(', '),
  );
  say(
    kinds
      .map(([kind, count]) => `${kind} ${count}`)
      .filter((text) => !text.endsWith(' 0'))
      .join(', '),
  );
  return journal.violation === undefined;
}
