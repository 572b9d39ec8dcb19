/** A cluster of processes: how it is started, watched while it suffers, and brought back to health. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../sim/random.js';
import type { Cleanup } from './cleanup.js';
import { type Places, sleep } from './clients.js';
import type { Journal } from './journal.js';
import type { Network } from './network.js';
import { ChaosNode, type Stats } from './nodes.js';

export interface Profile {
  readonly size: number;
  readonly durability: 'low' | 'medium' | 'high';
  /** Nodes that pass commands on. */
  readonly forwarding: readonly number[];
  /** Bytes a second of large values; 0: none. */
  readonly largeBytesPerSecond: number;
}

const startTimeoutMs = 60_000;
/**
 * After the last fault all nodes must be even within this time. Processes that share two cores with others
 * are slow to start.
 */
export const settleTimeoutMs = 45_000;

export class Cluster {
  readonly nodes: ChaosNode[] = [];
  /** Whether a change of who is a member is under way: one at a time. */
  isChangingMembers = false;
  /** The newest leader by term. */
  leader: ChaosNode | undefined;
  term = 0;
  failovers = 0;
  /** All that any node ever had. */
  readonly addresses = new Set<string>();
  /** What each node said of itself last. */
  readonly stats = new Map<ChaosNode, Stats>();
  private readonly leaders = new Map<number, string>();
  private readonly terms = new Map<string, number>();
  private isWatching = true;
  private watching: Promise<void> = Promise.resolve();

  private constructor(
    readonly profile: Profile,
    readonly network: Network,
    readonly random: Random,
    readonly journal: Journal,
  ) {}

  static async start(
    profile: Profile,
    network: Network,
    root: string,
    random: Random,
    journal: Journal,
    cleanup: Cleanup,
  ): Promise<Cluster> {
    const cluster = new Cluster(profile, network, random, journal);
    mkdirSync(root, { recursive: true });
    for (let i = 0; i < profile.size; i++) {
      const name = `n${i + 1}`;
      const place = await network.addNode(name);
      const flags = ['--durability', profile.durability, '--snapshot-size', '1mb'];
      if (profile.forwarding.includes(i)) flags.push('--follower', 'forward');
      const directory = join(root, name);
      const node = new ChaosNode(
        { name, directory, logFile: join(root, `${name}.log`), flags },
        place,
        journal,
        cleanup,
      );
      cluster.nodes.push(node);
      cluster.addresses.add(node.address);
      // The first founds the cluster, the others join whoever is there.
      node.joinAddresses = cluster.nodes.slice(0, -1).map((other) => other.address);
      node.start();
      const how = await node.ready(startTimeoutMs);
      if (how !== 'serves' && journal.violation === undefined)
        journal.violate(
          'start',
          `${name} does not serve within ${startTimeoutMs} ms: ${node.output.slice(-500)}`,
        );
      if (journal.violation !== undefined) break;
    }
    for (const node of cluster.nodes.slice(1)) node.joinAddresses = cluster.othersOf(node);
    cluster.watching = cluster.watch();
    return cluster;
  }

  othersOf(node: ChaosNode): string[] {
    return this.nodes.filter((other) => other !== node).map((other) => other.address);
  }

  nameOfId(id: number): string | undefined {
    return this.nodes.find((node) => node.nodeId === id)?.name;
  }

  /** Where clients look, now. */
  get places(): Places {
    const { nodes, network, profile, addresses } = this;
    return {
      links: network.links,
      known: addresses,
      addresses: nodes.map((node) => node.address),
      forwarding: profile.forwarding.map((i) => nodes[i]!.address),
    };
  }

  /** A node that does not run will be started elsewhere. */
  async move(node: ChaosNode): Promise<void> {
    node.place = await this.network.moveNode(node.name);
    this.addresses.add(node.address);
    for (const other of this.nodes) {
      if (other !== node && other.joinAddresses.length > 0) other.joinAddresses = this.othersOf(other);
    }
  }

  /** Nodes to which nothing is done now. */
  get free(): ChaosNode[] {
    return this.nodes.filter((node) => node.fault === undefined && node.isUp);
  }

  // ---- watching ----

  /** Asks everybody how it stands, again and again, for as long as the cluster is there. */
  private async watch(): Promise<void> {
    while (this.isWatching) {
      await Promise.all(this.nodes.map((node) => this.look(node)));
      await sleep(150);
    }
  }

  /** Looks at one node now: one leader per term, and terms never go back. */
  async look(node: ChaosNode): Promise<Stats | undefined> {
    const stats = await node.stats();
    if (stats === undefined) return undefined;
    this.stats.set(node, stats);
    const term = Number(stats.term);
    const id = stats.node_id!;
    const before = this.terms.get(id) ?? 0;
    if (term < before)
      this.journal.violate(
        'terms never go back',
        `${node.name} was in term ${before} and is in term ${term}`,
      );
    this.terms.set(id, term);
    if (stats.state !== 'Leader') return stats;
    const other = this.leaders.get(term);
    if (other !== undefined && other !== id)
      this.journal.violate(
        'one leader per term',
        `nodes ${other} and ${id} (${node.name}) lead in term ${term}`,
      );
    if (other === undefined) {
      if (this.leaders.size > 0) this.failovers++;
      this.leaders.set(term, id);
      this.journal.note('operator', `${node.name} leads in term ${term}`);
    }
    if (term >= this.term) {
      this.term = term;
      this.leader = node;
    }
    return stats;
  }

  // ---- health ----

  /**
   * All processes run, all are voters of one cluster, and all stand at one index. Undefined, or what is
   * missing.
   */
  private async missing(): Promise<string | undefined> {
    const all: Stats[] = [];
    for (const node of this.nodes) {
      const stats = node.isUp ? await this.look(node) : undefined;
      if (stats === undefined) return `${node.name} does not answer`;
      if (stats.vote !== 'voter') return `${node.name} is no voter`;
      if (Number(stats.members) !== this.nodes.length) return `${node.name} knows ${stats.members} members`;
      all.push(stats);
    }
    const addresses = this.nodes.map((node) => node.address);
    for (const [i, stats] of all.entries()) {
      const peers = addresses.map((_, place) => /address=([^,]+)/.exec(stats[`peer${place}`] ?? '')?.[1]);
      const lacking = addresses.find((address) => !peers.includes(address));
      if (lacking !== undefined) return `${this.nodes[i]!.name} does not know that a node is at ${lacking}`;
    }
    const leaders = all.filter((stats) => stats.state === 'Leader');
    if (leaders.length !== 1) return `${leaders.length} nodes lead`;
    for (const field of ['term', 'commit_index', 'applied_index', 'last_log_index', 'leader']) {
      const values = new Set(all.map((stats) => stats[field]));
      if (values.size > 1) return `${field} differs: ${[...values].join(', ')}`;
    }
    const { commit_index, applied_index, last_log_index } = all[0]!;
    if (commit_index !== applied_index || commit_index !== last_log_index)
      return `applied ${applied_index}, committed ${commit_index}, logged ${last_log_index}`;
    return undefined;
  }

  /** Brings everybody back and waits until all of them serve. */
  async reviveAll(): Promise<void> {
    for (const deadline = performance.now() + settleTimeoutMs; this.journal.violation === undefined; ) {
      for (const node of this.nodes) this.revive(node);
      const down = this.nodes.filter((node) => !node.isUp);
      if (down.length === 0) return;
      if (performance.now() > deadline) {
        const names = down.map((node) => node.name).join(', ');
        this.journal.violate('liveness', `${names} cannot serve ${settleTimeoutMs} ms after the last fault`);
      }
      await sleep(50);
    }
  }

  /**
   * Brings everybody back and waits until they are even: that this comes about within a bound is what is
   * checked.
   */
  async settle(): Promise<void> {
    const began = performance.now();
    for (;;) {
      if (this.journal.violation !== undefined) return;
      for (const node of this.nodes) this.revive(node);
      const missing = await this.missing();
      if (missing === undefined) break;
      if (performance.now() - began > settleTimeoutMs) {
        this.journal.violate('liveness', `${settleTimeoutMs} ms after the last fault: ${missing}`);
        return;
      }
      await sleep(50);
    }
    for (const node of this.nodes) {
      node.allowed = undefined;
      node.mayBeRemoved = false;
    }
    this.journal.note('operator', `all even after ${(performance.now() - began).toFixed(0)} ms`);
  }

  /** Starts a node that does not run; one that was removed comes back as a new one. */
  revive(node: ChaosNode): void {
    if (node.isRunning || node.fault !== undefined) return;
    if (node.saysRemoved && node.mayBeRemoved) {
      node.wipe();
      node.joinAddresses = this.othersOf(node);
    }
    node.start();
  }

  /**
   * Asks all nodes for the digest at an index to come, or where they stand now; a difference at one index is
   * a violation.
   *
   * @returns how many nodes answered for the index that most of them gave
   */
  async compareDigests(timeoutMs: number, index?: number): Promise<number> {
    const nodes = this.nodes.filter((node) => node.isUp);
    const at = index === undefined ? [] : [`${index}`];
    const answers = await Promise.all(nodes.map((node) => node.ask(timeoutMs, 'RAFTDIGEST', ...at)));
    const byIndex = new Map<number, Map<string, string[]>>();
    for (const [i, answer] of answers.entries()) {
      if (!Array.isArray(answer)) continue;
      const digests = byIndex.get(Number(answer[0])) ?? new Map<string, string[]>();
      byIndex.set(Number(answer[0]), digests);
      const digest = String(answer[1]);
      digests.set(digest, [...(digests.get(digest) ?? []), nodes[i]!.name]);
    }
    for (const [place, digests] of byIndex) checkDigests(this.journal, place, digests);
    this.journal.count('digests', byIndex.size);
    return Math.max(0, ...[...byIndex.values()].map((digests) => [...digests.values()].flat().length));
  }

  /** At rest: all nodes give one digest at one index, within a bound. */
  async assertEqual(): Promise<void> {
    for (const deadline = performance.now() + settleTimeoutMs; this.journal.violation === undefined; ) {
      if ((await this.compareDigests(10_000)) === this.nodes.length) return;
      if (performance.now() > deadline)
        this.journal.violate('liveness', 'the nodes give no digests at one index, though nothing is written');
      await sleep(100);
    }
  }

  /** Ends everybody in good order. */
  async stop(): Promise<void> {
    this.isWatching = false;
    await this.watching;
    if (this.journal.violation === undefined) {
      // Who is left alone when the others are gone cannot answer; it must end all the same.
      for (const node of this.nodes) await node.stop();
    }
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.network.close();
  }
}

/** Names of nodes by the digest that they have at an index: there may be one digest. */
export function checkDigests(
  journal: Journal,
  index: number,
  digests: ReadonlyMap<string, readonly string[]>,
): void {
  if (digests.size <= 1) return;
  const shown = [...digests].map(([digest, names]) => `${names.join(' and ')} at ${digest}`).join(', ');
  journal.violate('equal digests', `at index ${index}: ${shown}`);
}
