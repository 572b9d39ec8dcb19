/**
 * One machine of the simulated cluster: its disk, its clock, and the process of a whole node that runs, falls
 * and starts on it.
 */
import type { Socket } from 'node:net';
import type { Membership, NodeId, SoftState } from '../../raft/index.js';
import {
  DataDirectory,
  drawIdentity,
  type RaftNode,
  StorageError,
  type TransportHandler,
} from '../../raft/node/index.js';
import type { Cluster } from '../../src/cluster/cluster.js';
import { Configuration } from '../../src/config/configuration.js';
import { startServing } from '../../src/node.js';
import { createLog } from '../../src/observability/log.js';
import type { Server } from '../../src/server.js';
import { CheckedStateMachine } from './checked-state-machine.js';
import { type DiskOperation, SimulatedDisk } from './disk.js';
import type { MachineWorld } from './machine-world.js';
import { ClientLink, DialledSocket } from './network.js';
import type { MachineState, NodeSizes } from './plan.js';
import { MachineClock, Process } from './process.js';
import type { Random } from './random.js';
import { type Channel, SimulatedTransport } from './transport.js';

const clusterId = '00112233445566778899aabbccddeeff';
const directoryPath = '/data';

/** A running process with all that belongs to it. */
interface Running {
  readonly process: Process;
  readonly machine: CheckedStateMachine;
  node: RaftNode | undefined;
  server: Server | undefined;
  handler: TransportHandler | undefined;
  readonly links: Set<ClientLink>;
  /** Connections that it opened itself, to forward what its clients want. */
  readonly dialled: Set<ClientLink>;
  /** Snapshots that it is sending. */
  readonly channels: Set<Channel>;
  saysItWaits: boolean;
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
  /** Snapshots that took the place of entries here. */
  installs = 0;
  /** Applying takes up to so long, now and then. */
  applyMs = 0;
  private readonly applies: Random;
  /** Its disk is so quick that most syncs are waited for on the spot. */
  private readonly syncsInline: boolean;
  /** What the next calls of this kind are answered with. */
  orderedFault: { readonly operation: DiskOperation; readonly code: string } | undefined;
  /** A bit of a snapshot was flipped: an older one may serve, or not. */
  mayRefuse = false;
  /** What its node went by when it ended: it goes by that again, although nobody asks it now. */
  private lastMembership: Membership | undefined;
  private incarnation = 1;
  private starts = 0;
  private port = 1024;
  private readonly random: Random;

  constructor(
    readonly number: number,
    readonly world: MachineWorld,
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
      saysItWaits: false,
    };
    this.running = running;
    this.log(`starts as node ${this.nodeId}`);
    this.world.happened('start', this.number);
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
    const { plan } = this.world;
    const { node, server } = await startServing(
      running.machine,
      {
        identity,
        directory,
        clock: process,
        transport: new SimulatedTransport(this, running),
        random: this.random.fork(`node ${this.starts}`).next,
        durability: plan.durability,
        ...this.sizes,
        onFailure: (error) => this.failed(running, error),
        onNotice: (text) => this.notice(running, text),
        onSoftState: (state) => this.softState(state),
      },
      {
        host: this.name,
        port: 7481,
        configuration: new Configuration({
          requirepass: '',
          maxclients: '10000',
          'protected-mode': 'no',
          durability: plan.durability,
        }),
        consistency: plan.consistency,
        follower: plan.follower,
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
    // Settings that clients make are in force from here on: only the audience makes any.
    if (plan.hasAudience) await server.settle();
  }

  /**
   * As much of a cluster as a server uses: the way to the leader for a client whose commands are forwarded,
   * and a journal for nobody.
   */
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
          else there.server.serveForwarded(accepted, this.nodeId);
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
    if (state.role === 'leader') this.world.checkLeases(this.number);
    if (state.role !== 'follower') this.world.happened(state.role, this.number);
  }

  /**
   * The node says that it must stop. That is right after a fault of the disk, and wrong at all other times.
   */
  private failed(running: Running, error: Error): void {
    if (this.running !== running) return;
    this.log(`stops: ${error.message}`);
    const isOfDisk = error instanceof StorageError && (error.code === 'io' || error.code === 'full');
    if (
      this.world.invariants.mayLose &&
      /^this node lost entries|^entry \d+ is committed here/.test(error.message)
    ) {
      // It says how it stands with its cluster, and is to be replaced.
      this.world.counts.parted++;
      this.world.loop.after(0, () => {
        if (this.running !== running) return;
        this.kill();
        this.state = 'refused';
      });
      return;
    }
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
    // What is not synced is promised at durability high alone.
    if (this.world.plan.durability !== 'high') this.world.invariants.mayLose = true;
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
    this.lastMembership = running.node?.status().membership ?? this.lastMembership;
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
    this.lastMembership = undefined;
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

  private notice(running: Running, text: string): void {
    this.log(text);
    if (text.includes('it neither votes nor stands for election')) running.saysItWaits = true;
  }

  // ---- what others ask ----

  /** Whether its node has told the operator that it gives no vote. */
  get saysItWaits(): boolean {
    return this.running?.saysItWaits === true;
  }

  get node(): RaftNode | undefined {
    return this.state === 'up' ? this.running?.node : undefined;
  }

  /** What its node goes by, or will when it starts again; undefined if it has none. */
  get membership(): Membership | undefined {
    return this.node?.status().membership ?? this.lastMembership;
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
