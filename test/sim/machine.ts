/** One machine of the simulated cluster: its disk, its clock, and the process of a whole node that runs, falls and starts on it. */
import type { Socket } from 'node:net';
import type { HashSeed } from '../../engine/storage/dictionary.js';
import type {
  Entry,
  Membership,
  Message,
  NodeId,
  SnapshotMessage,
  SnapshotMetadata,
  SoftState,
} from '../../raft/index.js';
import {
  DataDirectory,
  drawIdentity,
  type RaftNode,
  StorageError,
  type Transport,
  type TransportHandler,
} from '../../raft/node/index.js';
import { busyMaxMs, pulseIntervalMs } from '../../raft/node/peer/pulse.js';
import type { Cluster } from '../../src/cluster/cluster.js';
import { Configuration } from '../../src/config/configuration.js';
import { startServing } from '../../src/node.js';
import { createLog } from '../../src/observability/log.js';
import { EngineStateMachine } from '../../src/replication/state-machine.js';
import type { Server } from '../../src/server.js';
import { type DiskOperation, SimulatedDisk } from './disk.js';
import { ClientLink, copyMessage, DialledSocket } from './network.js';
import type { NodeSizes } from './plan.js';
import { MachineClock, Process } from './process.js';
import type { Random } from './random.js';
import type { World } from './world.js';

const clusterId = '00112233445566778899aabbccddeeff';
const directoryPath = '/data';

export type MachineState =
  | 'off'
  | 'starting'
  | 'up'
  /** It refuses to start: what it stored was damaged. */
  | 'refused'
  /** Its node was removed from the cluster, or never belonged to it. */
  | 'retired';

/** A running process with all that belongs to it. */
interface Running {
  readonly process: Process;
  readonly machine: CheckedStateMachine;
  node: RaftNode | undefined;
  server: Server | undefined;
  handler: TransportHandler | undefined;
  readonly links: Set<ClientLink>;
  /** Connections that it opened itself, to pass on what its clients want. */
  readonly dialled: Set<ClientLink>;
  /** Snapshots that it is sending. */
  readonly channels: Set<Channel>;
}

export class Machine {
  readonly name: string;
  readonly address: string;
  readonly clock: MachineClock;
  disk: SimulatedDisk;
  state: MachineState = 'off';
  nodeId: NodeId;
  running: Running | undefined;
  /** Bits in its files were flipped: it must refuse to start. */
  isDamaged = false;
  /** A fault of its disk was ordered and may strike at any time. */
  diskFaults = 0;
  /** Mean milliseconds that a sync takes. */
  syncMs = 1;
  /** Until then it finishes no sync. */
  hungUntilMs = 0;
  /** Applying takes up to so long, now and then. */
  applyMs = 0;
  private readonly applies: Random;
  /** Its disk is so quick that most syncs are waited for on the spot. */
  private readonly syncsInline: boolean;
  /** What the next calls of this kind are answered with. */
  orderedFault: { readonly operation: DiskOperation; readonly code: string } | undefined;
  /** A bit of a snapshot was flipped: an older one may serve, or not. */
  mayRefuse = false;
  private incarnation = 1;
  private starts = 0;
  private port = 1024;
  private readonly random: Random;

  constructor(
    readonly number: number,
    readonly world: World,
    private readonly sizes: NodeSizes,
    private readonly founders: Membership,
  ) {
    this.name = `m${number}`;
    this.address = `${this.name}:7481`;
    this.clock = new MachineClock(world.loop);
    this.random = world.random.fork(this.name);
    this.syncsInline = this.random.chance(0.4);
    this.applies = world.random.fork(`${this.name} applies`);
    this.nodeId = number * 100 + this.incarnation;
    this.disk = this.newDisk();
  }

  private newDisk(): SimulatedDisk {
    return new SimulatedDisk({
      schedule: (operation, callback) => {
        const { running } = this;
        const hangsMs = operation === 'sync' ? Math.max(0, this.hungUntilMs - this.world.loop.nowMs) : 0;
        const isQuick = this.syncsInline && this.syncMs <= 1 && hangsMs === 0;
        if (operation === 'sync' && isQuick && this.random.chance(0.8)) {
          callback();
          return;
        }
        const latency =
          operation === 'sync' ? this.random.exponential(this.syncMs) : this.random.next() * 0.1;
        this.world.loop.after(latency + hangsMs, () => {
          if (running === undefined) callback();
          else running.process.run(callback);
        });
      },
      fault: (operation, path) => this.fault(operation, path),
    });
  }

  private fault(operation: DiskOperation, path: string): NodeJS.ErrnoException | undefined {
    const ordered = this.orderedFault;
    if (ordered === undefined || ordered.operation !== operation) return undefined;
    this.orderedFault = undefined;
    this.diskFaults++;
    this.log(`disk: ${operation} of ${path} fails with ${ordered.code}`);
    return Object.assign(new Error(`${ordered.code}: simulated, ${operation} ${path}`), {
      code: ordered.code,
    });
  }

  log(text: string): void {
    this.world.trace(this.name, text);
  }

  // ---- life ----

  /** Starts the process; what becomes of it shows in {@link state}. */
  start(): void {
    if (this.state !== 'off') return;
    this.state = 'starting';
    this.starts++;
    const process = new Process(this.world.loop, this.clock, this.random.fork(`process ${this.starts}`));
    const machine = new CheckedStateMachine(this, process, {
      low: this.random.bits(),
      high: this.random.bits(),
    });
    const running: Running = {
      process,
      machine,
      node: undefined,
      server: undefined,
      handler: undefined,
      links: new Set(),
      dialled: new Set(),
      channels: new Set(),
    };
    this.running = running;
    this.log(`starts as node ${this.nodeId}`);
    this.world.happened('start', this);
    this.launch(running).then(
      () => {
        if (this.running !== running) return;
        this.state = 'up';
        this.log(`is up, applied ${running.node!.applied}`);
        if (this.isDamaged) {
          this.world.invariants.violate('damage is refused', `${this.name} started on damaged files`);
        }
      },
      (error: Error) => this.startFailed(running, error),
    );
  }

  private startFailed(running: Running, error: Error): void {
    if (this.running !== running) return;
    this.end(running);
    this.log(`did not start: ${error.message}`);
    const isOfDisk = error instanceof StorageError && (error.code === 'io' || error.code === 'full');
    if ((this.isDamaged || this.mayRefuse) && error instanceof StorageError) {
      this.state = 'refused';
    } else if (isOfDisk && this.diskFaults > 0) {
      this.world.loop.after(300, () => this.start());
    } else {
      this.world.invariants.violate('a sound node starts', `${this.name}: ${error.stack}`);
    }
  }

  private async launch(running: Running): Promise<void> {
    const directory = await DataDirectory.open(directoryPath, this.disk);
    if (directory.identity === undefined) {
      const isFounder = this.founders.members.some((member) => member.id === this.nodeId);
      const drawn = drawIdentity(
        clusterId,
        this.nodeId,
        isFounder ? this.founders : { members: [], removed: [] },
      );
      await directory.establish({ ...drawn, salt: this.nodeId * 7919 });
    }
    const identity = await directory.countStart();
    const { process } = running;
    const { node, server } = await startServing(
      running.machine,
      {
        identity,
        directory,
        clock: process,
        transport: new SimulatedTransport(this, running),
        random: this.random.fork(`node ${this.starts}`).next,
        durability: 'high',
        ...this.sizes,
        onFailure: (error) => this.failed(running, error),
        onNotice: (text) => this.log(text),
        onSoftState: (state) => this.softState(state),
      },
      {
        host: this.name,
        port: 7481,
        configuration: new Configuration({ requirepass: '', maxclients: '10000', 'protected-mode': 'no' }),
        consistency: 'high',
        follower: this.world.plan.follower,
        cluster: this.dialler(running) as unknown as Cluster,
        log: createLog('quiet', () => {}),
        clock: process,
        randomSeed: () => this.random.bits(),
        clusterId: 'simulated',
        reload: () => running.machine.reload(),
        digest: (index) => running.machine.digest(index),
        shutdown: () => {},
      },
    );
    running.node = node;
    running.server = server;
  }

  /** As much of a cluster as a server uses: the way to the leader for a client whose commands are passed on, and a journal for nobody. */
  private dialler(running: Running): unknown {
    const dialClient = (to: NodeId): Promise<Socket> => {
      const target = this.world.machineOf(to);
      const there = target?.running;
      if (target === undefined || there === undefined || target.state !== 'up') {
        return Promise.reject(new Error('nobody is there'));
      }
      const socket = new DialledSocket(
        (bytes) => link.send(bytes),
        () => {
          running.dialled.delete(link);
          there.links.delete(link);
          link.abandon();
        },
      );
      const link: ClientLink = new ClientLink(
        this.world.loop,
        this.world.network,
        this.name,
        target.name,
        there.process,
        this.random,
        {
          received: (bytes) => running.process.run(() => socket.emit('data', bytes)),
          closed: () => {
            running.dialled.delete(link);
            there.links.delete(link);
            running.process.run(() => socket.closed());
          },
        },
        this.nextPort(),
        (accepted) => {
          if (there.server === undefined) accepted.destroy();
          else there.server.servePassedOn(accepted, this.nodeId);
        },
      );
      running.dialled.add(link);
      there.links.add(link);
      return Promise.resolve(socket as unknown as Socket);
    };
    return {
      // The simulated network has no connections that break: who leads is what Raft says.
      transport: { dialClient, isConnected: () => true },
      journal: { begin() {}, snapshotTaken() {} },
      // Clients here know where the members are.
      clientAddresses: { own: () => '', of: () => undefined, isSilent: () => false },
      // Nobody here reads how many can be reached: all say yes.
      reachedVoters: () => ({ reached: 1, voters: 1 }),
    };
  }

  private softState(state: SoftState): void {
    this.log(`${state.role} of term ${state.term}, leader ${state.leader}`);
    this.world.invariants.softState(this.nodeId, state);
    if (state.role === 'leader') this.world.checkLeases(this);
    if (state.role !== 'follower') this.world.happened(state.role, this);
  }

  /** The node says that it must stop. That is right after a fault of the disk, and wrong at all other times. */
  private failed(running: Running, error: Error): void {
    if (this.running !== running) return;
    this.log(`stops: ${error.message}`);
    const isOfDisk = error instanceof StorageError && (error.code === 'io' || error.code === 'full');
    if (!isOfDisk || this.diskFaults === 0) {
      this.world.invariants.violate('no broken invariant', `${this.name}: ${error.stack}`);
      return;
    }
    // The process ends as main does; whoever watches over it starts it again.
    this.world.loop.after(0, () => {
      if (this.running !== running) return;
      this.kill();
      this.world.loop.after(400, () => this.start());
    });
  }

  /** Ends the process at this very instant: what it wrote is there, nothing else happens any more. */
  kill(): void {
    this.disk.kill();
    this.stopRunning('killed');
  }

  /** Power cut: what was not synced may be lost, in part and in any order. */
  cutPower(): void {
    this.disk.crash(this.random.next);
    this.stopRunning('loses power');
  }

  private stopRunning(how: string): void {
    const { running } = this;
    if (running !== undefined) {
      this.log(how);
      this.end(running);
    }
    if (this.state !== 'refused') this.state = 'off';
  }

  private end(running: Running): void {
    running.process.isDead = true;
    this.running = undefined;
    this.state = 'off';
    if (running.node !== undefined) (running.node as unknown as { isStopped: boolean }).isStopped = true;
    for (const link of running.links) link.reset();
    for (const link of running.dialled) link.abandon();
    for (const channel of running.channels)
      this.world.loop.after(1, () => channel.fail(new Error('the sender died')));
  }

  /** Stops as on SIGTERM: answers what is in flight, syncs, closes. */
  async stop(): Promise<void> {
    const { running } = this;
    if (running?.node === undefined) return;
    try {
      await running.node.stop();
      if (this.running === running) this.log('stopped');
    } catch (error) {
      // A disk that fails while the log is closed ends the process all the same.
      if (this.diskFaults === 0) throw error;
      this.log(`stopped: ${(error as Error).message}`);
    }
    if (this.running !== running) return;
    this.disk.kill();
    this.end(running);
  }

  /** The machine lost its disk for good: a new node with a new id will live here. */
  wipe(): void {
    if (this.running !== undefined) this.cutPower();
    this.state = 'off';
    this.isDamaged = false;
    this.mayRefuse = false;
    this.starts = 0;
    this.disk = this.newDisk();
    this.incarnation++;
    this.nodeId = this.number * 100 + this.incarnation;
    this.log(`is replaced by node ${this.nodeId}`);
  }

  /** Whether a process ever ran on what the disk holds. */
  get wasStarted(): boolean {
    return this.starts > 0;
  }

  /** What it stored is gone, or may prove to be no good: no majority should count on it. */
  get isDoubtful(): boolean {
    return this.isDamaged || this.mayRefuse || this.state === 'refused';
  }

  /** All that was wrong with it is mended, but for damage to what it stored. */
  heal(): void {
    this.running?.process.resume();
    this.clock.setRate(1);
    this.syncMs = 1;
    this.hungUntilMs = 0;
    this.applyMs = 0;
    this.orderedFault = undefined;
    this.disk.options.capacityBytes = undefined;
  }

  // ---- what others ask ----

  get node(): RaftNode | undefined {
    return this.state === 'up' ? this.running?.node : undefined;
  }

  get isLeader(): boolean {
    const { node } = this;
    return node !== undefined && !this.running!.process.isPaused && node.status().role === 'leader';
  }

  get appliedIndex(): number {
    return this.running?.machine.engine.appliedIndex ?? 0;
  }

  /** An entry is applied: now and then that keeps the process busy for a while. */
  takeTime(process: Process): void {
    if (this.applyMs > 0 && this.applies.chance(0.2)) process.busy(this.applies.next() * this.applyMs);
  }

  /** Serves a client once its connection arrives. */
  accept(socket: Socket): boolean {
    const server = this.state === 'up' ? this.running?.server : undefined;
    server?.serve(socket);
    return server !== undefined;
  }

  nextPort(): number {
    return ++this.port;
  }
}

/** The engine under observation: every entry is checked before it is applied, and the state at some indices. */
export class CheckedStateMachine extends EngineStateMachine {
  private last = 0;
  private cuts = 0;

  constructor(
    private readonly owner: Machine,
    private readonly process: Process,
    hashSeed: HashSeed,
  ) {
    // Slices end after a few steps, so that entries are applied between them.
    super({ hashSeed }, slicingClock(process));
  }

  override apply(entries: readonly Entry[]): void {
    const { world, nodeId } = this.owner;
    let from = 0;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      world.invariants.follows(nodeId, this.last, entry);
      world.invariants.applied(nodeId, entry);
      this.last = entry.index;
      if (entry.index % world.digestEvery !== 0) continue;
      super.apply(entries.slice(from, i + 1));
      from = i + 1;
      this.checkDigest();
    }
    if (from < entries.length) super.apply(from === 0 ? entries : entries.slice(from));
    this.owner.takeTime(this.process);
  }

  /** Compares the state with that of the others at this index. A state that is being written is left alone. */
  checkDigest(): void {
    if (this.cuts > 0) return;
    const { appliedIndex } = this.engine;
    if (appliedIndex > 0)
      this.owner.world.invariants.digest(this.owner.nodeId, appliedIndex, this.engine.digest());
  }

  override async *cut(metadata: SnapshotMetadata): AsyncGenerator<Uint8Array> {
    this.cuts++;
    this.owner.log(`cuts a snapshot at ${metadata.index}`);
    this.owner.world.counts.snapshots++;
    this.owner.world.happened('cut', this.owner);
    try {
      yield* super.cut(metadata);
    } finally {
      this.cuts--;
    }
  }

  protected override installed({ index }: SnapshotMetadata): void {
    this.owner.log(`installed a snapshot at ${index}`);
    this.owner.world.counts.installs++;
    this.owner.world.happened('install', this.owner);
    this.last = index;
    this.checkDigest();
  }
}

function slicingClock(process: Process): Process {
  let steps = 0;
  return Object.create(process, {
    monotonicMs: { value: () => process.monotonicMs() + steps++ },
  }) as Process;
}

/** Bytes that keep a thin link busy. */
function appendBytes(message: Message): number {
  if (message.type !== 'append') return 0;
  return message.entries.reduce((sum, { payload }) => sum + payload.length, 0);
}

/** Carries a node's messages through the simulated network. */
class SimulatedTransport implements Transport {
  constructor(
    private readonly machine: Machine,
    private readonly running: Running,
  ) {}

  start(handler: TransportHandler): void {
    this.running.handler = handler;
    this.beat();
  }

  private standing: { readonly term: number; readonly leads: boolean } | undefined;
  private turnedAtMs = 0;

  readonly pulse = {
    turned: (): void => {
      this.turnedAtMs = this.machine.world.loop.nowMs;
    },
    stands: (term: number, leads: boolean): void => {
      this.standing = { term, leads };
      this.pulse.turned();
    },
    stop: (): void => {
      this.standing = undefined;
    },
  };

  /** The pulse thread: it goes on while the process is busy, and stands still and dies with it. */
  private beat(): void {
    const { machine, running } = this;
    const { world, name, nodeId: from } = machine;
    if (running.process.isDead) return;
    world.loop.after(pulseIntervalMs, () => this.beat());
    const isStuck = world.loop.nowMs - this.turnedAtMs > busyMaxMs;
    if (this.standing === undefined || running.process.isPaused || isStuck) return;
    const pulse = { from, ...this.standing };
    for (const target of world.machines) {
      if (target === machine) continue;
      world.network.send(name, target.name, () => {
        const there = target.running;
        there?.process.run(() => there.handler?.onPulse(pulse));
      });
    }
  }

  setMembership(): void {}

  send(to: NodeId, messages: readonly Message[]): void {
    const { world } = this.machine;
    for (const message of messages) {
      world.invariants.sent(message);
      const target = world.machineOf(to);
      if (target === undefined) continue;
      const copy = copyMessage(message);
      const arrive = (): void => {
        const { running } = target;
        if (running === undefined || target.nodeId !== to) return;
        running.process.run(() => {
          const refused = running.handler?.onMessages([copy]);
          if (refused !== undefined)
            world.invariants.violate('honest messages are believed', `${target.name}: ${refused}`);
        });
      };
      const isSent = world.network.send(this.machine.name, target.name, arrive, appendBytes(message));
      if (!isSent && this.machine.world.random.chance(0.2)) {
        world.loop.after(1, () => this.running.process.run(() => this.running.handler?.onUnreachable(to)));
      }
    }
  }

  /** In chunks over a connection of its own; it breaks where the network is cut, and when either end dies. */
  async sendSnapshot(
    ...[message, reader, onProgress]: Parameters<Transport['sendSnapshot']>
  ): Promise<boolean> {
    const { world, name } = this.machine;
    const target = world.machineOf(message.to);
    const receiver = target?.running;
    const channel = new Channel();
    this.running.channels.add(channel);
    const copy = copyMessage(message) as SnapshotMessage;
    let taken: boolean | undefined;
    let bytes = 0;
    try {
      for (;;) {
        const chunk = await reader.next();
        if (chunk !== undefined) bytes += chunk.length;
        const isSound = await this.pass(name, target);
        if (!isSound || receiver === undefined || target?.running !== receiver) {
          channel.fail(new Error('the connection broke'));
          return false;
        }
        if (receiver.handler !== undefined && taken === undefined) {
          taken = false;
          receiver.process.run(() => {
            void receiver.handler!.onSnapshot(copy, channel, reader.dataBytes).then((isTaken) => {
              taken = isTaken;
              channel.done();
            });
          });
        }
        if (chunk === undefined) break;
        channel.push(Buffer.from(chunk));
        onProgress(bytes, reader.dataBytes);
      }
      channel.end();
      await Promise.race([channel.whenDone, new Promise<void>((resolve) => world.loop.after(2000, resolve))]);
      return taken === true && (await this.pass(target!.name, this.machine));
    } finally {
      this.running.channels.delete(channel);
      // Whoever still reads sees the connection end.
      channel.fail(new Error('the connection broke'));
      await reader.close();
    }
  }

  private pass(from: string, to: Machine | undefined): Promise<boolean> {
    const { world } = this.machine;
    if (to === undefined || world.network.isCut(from, to.name)) {
      return new Promise((resolve) => world.loop.after(50, () => resolve(false)));
    }
    return new Promise((resolve) => world.loop.after(world.network.delay(), () => resolve(true)));
  }

  async close(): Promise<void> {
    this.running.handler = undefined;
  }
}

/** Chunks on their way from one process to another. */
class Channel implements AsyncIterable<Uint8Array> {
  private readonly chunks: Uint8Array[] = [];
  private isEnded = false;
  private error: Error | undefined;
  private wake: () => void = () => {};
  done!: () => void;
  readonly whenDone = new Promise<void>((resolve) => {
    this.done = resolve;
  });

  push(chunk: Uint8Array): void {
    this.chunks.push(chunk);
    this.wake();
  }

  end(): void {
    this.isEnded = true;
    this.wake();
  }

  fail(error: Error): void {
    this.error ??= error;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.isEnded) return;
      else if (this.error !== undefined) throw this.error;
      else
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
    }
  }
}
