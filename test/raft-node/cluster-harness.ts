/**
 * Nodes over simulated disks and an in-memory network, in virtual time. Their state machine is a list of
 * words.
 */
import { type Entry, EntryKind, type Member, type Membership, type Message } from '../../raft/index.js';
import type { Clock } from '../../raft/node/clock.js';
import { DataDirectory } from '../../raft/node/directory/data-directory.js';
import { drawIdentity } from '../../raft/node/directory/identity.js';
import type { RaftNodeOptions, StagedState, StateMachine } from '../../raft/node/node-options.js';
import type { Transport, TransportHandler } from '../../raft/node/peer/transport.js';
import { RaftNode } from '../../raft/node/raft-node.js';
import type { SnapshotReader } from '../../raft/node/snapshot/store.js';
import { SimulatedDisk, type SimulatedDiskOptions } from '../sim/disk.js';
import { EventLoop } from '../sim/event-loop.js';
import { seeded } from './wal-harness.js';

export const clusterId = '00112233445566778899aabbccddeeff';

/** A state machine whose state is the list of the words that were proposed. */
export class WordList implements StateMachine {
  words: string[] = [];
  installs = 0;

  apply(entries: readonly Entry[]): void {
    for (const { kind, payload } of entries) {
      if (kind === EntryKind.command) this.words.push(Buffer.from(payload).toString());
    }
  }

  cut(): AsyncIterable<Uint8Array> {
    const frozen = [...this.words];
    return (async function* () {
      for (const word of frozen) yield Buffer.from(`${word}\n`);
    })();
  }

  async install(reader: SnapshotReader): Promise<void> {
    const staged = this.stage();
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next())
      await staged.feed(chunk);
    staged.install();
  }

  stage(): StagedState {
    const chunks: Uint8Array[] = [];
    return {
      feed: async (chunk) => {
        chunks.push(chunk);
      },
      verify: () => {},
      install: () => {
        this.words = Buffer.concat(chunks).toString().split('\n').slice(0, -1);
        this.installs++;
      },
    };
  }
}

/** The clock of one process: it stops with it. */
class ProcessClock implements Clock {
  isDead = false;

  constructor(private readonly loop: EventLoop) {}

  monotonicMs(): number {
    return this.loop.monotonicMs();
  }

  wallMs(): number {
    return this.loop.wallMs();
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    return this.loop.setTimer(delayMs, () => {
      if (!this.isDead) callback();
    });
  }

  afterInput(callback: () => void): void {
    this.setTimer(0, callback);
  }
}

class Port implements Transport {
  handler: TransportHandler | undefined;

  constructor(
    private readonly cluster: Cluster,
    private readonly id: number,
  ) {}

  start(handler: TransportHandler): void {
    this.handler = handler;
    this.cluster.ports.set(this.id, this);
  }

  /** What the node has last said of who belongs to its cluster. */
  membership: Membership | undefined;

  setMembership(membership: Membership): void {
    this.membership = membership;
  }

  send(to: number, messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.to !== to) throw new Error(`message for ${message.to} sent to ${to}`);
    }
    this.cluster.deliver(this.id, to, () => this.cluster.ports.get(to)?.handler?.onMessages(messages));
  }

  async sendSnapshot(
    ...[message, reader, onProgress]: Parameters<Transport['sendSnapshot']>
  ): Promise<boolean> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
      chunks.push(chunk);
      bytes += chunk.length;
      onProgress(bytes, reader.dataBytes);
    }
    await reader.close();
    await new Promise<void>((resolve) => this.cluster.loop.after(this.cluster.transferMs, resolve));
    return new Promise((resolve) => {
      const isSent = this.cluster.deliver(this.id, message.to, () => {
        const { handler } = this.cluster.ports.get(message.to) ?? {};
        const data = (async function* () {
          yield* chunks;
        })();
        if (handler === undefined) resolve(false);
        else handler.onSnapshot(message, data, reader.dataBytes).then(resolve);
      });
      if (!isSent) resolve(false);
    });
  }

  async close(): Promise<void> {
    this.cluster.ports.delete(this.id);
  }
}

export class Cluster {
  readonly loop = new EventLoop();
  readonly ports = new Map<number, Port>();
  readonly nodes = new Map<number, RaftNode>();
  readonly machines = new Map<number, WordList>();
  readonly disks = new Map<number, SimulatedDisk>();
  private readonly clocks = new Map<number, ProcessClock>();
  /** Faults of disks, by node. */
  readonly faults = new Map<number, NonNullable<SimulatedDiskOptions['fault']>>();
  /** Of nodes whose disk hangs: syncs that wait for {@link unhang}. */
  readonly hungSyncs = new Map<number, (() => void)[]>();
  readonly failures: string[] = [];
  readonly notices: string[] = [];
  /** Pairs `from-to` whose messages are lost. */
  readonly cut = new Set<string>();
  /** How long a snapshot is under way. */
  transferMs = 0;
  private readonly random: () => number;

  constructor(
    readonly ids: readonly number[],
    readonly changes: Partial<RaftNodeOptions> & { readonly isVolatile?: boolean } = {},
    seed = 1,
  ) {
    this.random = seeded(seed);
  }

  deliver(from: number, to: number, arrive: () => void): boolean {
    if (this.cut.has(`${from}-${to}`)) return false;
    this.loop.after(0.2 + this.random(), arrive);
    return true;
  }

  /** Starts a node, on the disk that it had before if it had one. */
  async start(id: number, founders: readonly number[] = this.ids): Promise<RaftNode> {
    const members: Member[] = founders.map((founder) => ({
      id: founder,
      address: `host:${founder}`,
      learner: false,
    }));
    let directory: DataDirectory | undefined;
    let identity = drawIdentity(clusterId, id, { members, removed: [] });
    if (this.changes.isVolatile !== true) {
      let disk = this.disks.get(id);
      if (disk === undefined) {
        disk = new SimulatedDisk({
          schedule: (operation, callback) => {
            const hung = operation === 'sync' ? this.hungSyncs.get(id) : undefined;
            if (hung !== undefined) hung.push(callback);
            else this.loop.after(operation === 'sync' ? 0.1 + this.random() : 0, callback);
          },
          fault: (operation, path) => this.faults.get(id)?.(operation, path),
        });
        this.disks.set(id, disk);
      }
      directory = await this.loop.settle(DataDirectory.open('/data', disk));
      if (directory.identity === undefined) await this.loop.settle(directory.establish(identity));
      identity = await this.loop.settle(directory.countStart());
    }
    const clock = new ProcessClock(this.loop);
    this.clocks.set(id, clock);
    const machine = new WordList();
    this.machines.set(id, machine);
    const node = await this.loop.settle(
      RaftNode.start({
        identity,
        directory,
        clock,
        transport: new Port(this, id),
        random: this.random,
        stateMachine: machine,
        durability: 'high',
        onFailure: (error) => this.failures.push(`${id}: ${error.message}`),
        onNotice: (text) => this.notices.push(`${id}: ${text}`),
        ...this.changes,
      }),
    );
    this.nodes.set(id, node);
    return node;
  }

  async startAll(): Promise<void> {
    for (const id of this.ids) await this.start(id);
  }

  /**
   * Kills a process: what it wrote is there, nothing else happens any more. With `power`, unsynced bytes are
   * at risk.
   */
  kill(id: number, power = false): void {
    const disk = this.disks.get(id);
    if (power) disk?.crash(this.random);
    else disk?.kill();
    this.clocks.get(id)!.isDead = true;
    const dead = this.nodes.get(id) as unknown as { isStopped: boolean };
    dead.isStopped = true;
    this.ports.delete(id);
    this.nodes.delete(id);
  }

  isolate(id: number): void {
    for (const other of this.ids) {
      this.cut.add(`${id}-${other}`);
      this.cut.add(`${other}-${id}`);
    }
  }

  /** The disk of a node takes writes and finishes no sync from now on. */
  hang(id: number): void {
    this.hungSyncs.set(id, []);
  }

  unhang(id: number): void {
    const waiting = this.hungSyncs.get(id) ?? [];
    this.hungSyncs.delete(id);
    for (const callback of waiting) this.loop.after(0, callback);
  }

  heal(): void {
    this.cut.clear();
  }

  leader(): RaftNode | undefined {
    const leaders = [...this.nodes.values()].filter((node) => node.status().role === 'leader');
    return leaders.sort((a, b) => b.status().term - a.status().term)[0];
  }

  async elect(): Promise<RaftNode> {
    const isReady = (): boolean => {
      const status = this.leader()?.status();
      return status?.ownTermCommitted === true && status.transferTarget === 0;
    };
    if (!(await this.loop.until(isReady))) throw new Error('no leader');
    return this.leader()!;
  }

  /** Proposes words on the leader and waits until they are committed there. */
  async propose(...words: readonly string[]): Promise<void> {
    const leader = await this.elect();
    let index = 0;
    for (const word of words) index = leader.propose(Buffer.from(word))!.index;
    await this.loop.settle(leader.whenApplied(index));
  }

  /** Waits until all running nodes have applied what the leader has. */
  async converge(): Promise<void> {
    const { commit } = (await this.elect()).status();
    const isEven = (): boolean => [...this.nodes.values()].every((node) => node.applied >= commit);
    if (!(await this.loop.until(isEven))) throw new Error('the nodes do not converge');
  }

  words(id: number): string[] {
    return this.machines.get(id)!.words;
  }

  async stopAll(): Promise<void> {
    for (const node of this.nodes.values()) await this.loop.settle(node.stop());
  }
}
