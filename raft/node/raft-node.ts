/**
 * A node of a cluster: the consensus core with its log, its snapshots, its clock and its peers. It carries out what the core
 * orders, in the order that the core's `Ready` states, and hands committed entries to the state machine.
 *
 * Several batches may be on their way to the disk at once; what promises something about a batch leaves when it is durable.
 */
import {
  type Entry,
  EntryKind,
  type Membership,
  type MembershipChange,
  type MembershipRefusal,
  type Message,
  type NodeId,
  type Proposed,
  Raft,
  type ReadState,
  type Ready,
  type SnapshotMessage,
  type SnapshotMetadata,
  type SoftState,
  type Status,
} from '../index.js';
import type { Clock, Timer } from './clock.js';
import type { DataDirectory } from './data-directory.js';
import type { StorageError } from './errors.js';
import type { Identity } from './identity.js';
import { logDirectory, snapshotDirectory } from './layout.js';
import { MemoryLog } from './memory-log.js';
import type { NodeLog } from './node-log.js';
import {
  FileSnapshotStore,
  MemorySnapshotStore,
  type SnapshotReader,
  type SnapshotStore,
} from './snapshot-store.js';
import { Snapshotter } from './snapshotter.js';
import type { Transport } from './transport.js';
import { type Durability, Wal } from './wal.js';

/** What the log drives. */
export interface StateMachine {
  /** Takes committed entries of every kind, in order, each once. Must not throw: an entry that cannot be applied ends the node. */
  apply(entries: readonly Entry[]): void;
  /** Freezes the state as it is now, at `metadata.index`, and gives its bytes bit by bit. */
  cut(metadata: SnapshotMetadata): AsyncIterable<Uint8Array>;
  /** Replaces the whole state by that of a snapshot. */
  install(reader: SnapshotReader): Promise<void>;
}

export interface RaftNodeOptions {
  /** Who this node is. */
  readonly identity: Identity;
  /** Where its files are; without one it keeps everything in memory. */
  readonly directory?: DataDirectory;
  readonly clock: Clock;
  readonly transport: Transport;
  /** Numbers in [0, 1), for election timeouts. */
  readonly random: () => number;
  readonly stateMachine: StateMachine;
  readonly durability: Durability;
  /** Unit of the core's time. Default 25. */
  readonly tickMs?: number;
  /** A follower campaigns after more than this and at most twice this without a leader. Default 500. */
  readonly electionTimeoutMs?: number;
  /** Default 100. */
  readonly heartbeatMs?: number;
  /** A snapshot is taken when this many bytes of log have been applied since the last one. Default 128 MiB. */
  readonly snapshotLogBytes?: number;
  /** A snapshot is taken this long after the last one, if anything was applied since. Default: only by bytes. */
  readonly snapshotIntervalMs?: number;
  /** Log that is kept behind a snapshot for followers that lag. Default 64 MiB. */
  readonly logTailBytes?: number;
  /** Segments of the log; for tests. */
  readonly segmentBytes?: number;
  /** All reads asked under `context` may be answered once `index` is applied (it is, unless a snapshot is being installed). */
  readonly onReadStates?: (states: readonly ReadState[]) => void;
  /** These will never be answered: ask again or say so. */
  readonly onReadsDropped?: (contexts: readonly number[]) => void;
  /** Role, leader or term changed. */
  readonly onSoftState?: (state: SoftState) => void;
  /** The membership in force changed (it may not be committed yet). */
  readonly onMembership?: (membership: Membership) => void;
  /** The node must stop: its disk failed, or it found proof of a broken invariant. It has fallen silent already. */
  readonly onFailure: (error: Error) => void;
  /** One line for the operator. */
  readonly onNotice?: (text: string) => void;
  readonly onRecovery?: (progress: RecoveryProgress) => void;
  /** A snapshot that is received from or sent to a peer. */
  readonly onTransfer?: (progress: TransferProgress) => void;
}

export interface RecoveryProgress {
  readonly phase: 'log' | 'snapshot' | 'replay';
  /** Bytes of the log or the snapshot, entries of the replay. */
  readonly done: number;
  readonly total: number;
}

export interface TransferProgress {
  readonly direction: 'in' | 'out';
  readonly peer: NodeId;
  readonly bytes: number;
  readonly bytesTotal: number;
}

export interface Recovered {
  readonly snapshotIndex: number;
  readonly snapshotBytes: number;
  /** Entries that were replayed on top of it. */
  readonly entries: number;
}

/** A Ready whose write is not durable yet. */
interface Outstanding {
  readonly sequence: number;
  readonly messages: readonly Message[];
  isDone: boolean;
}

/** How long one round of work may keep the event loop before it lets input and timers in. */
const sliceMs = 10;

export class RaftNode {
  private readonly raft: Raft;
  private readonly tickMs: number;
  private readonly snapshotter: Snapshotter;
  private outstanding: Outstanding[] = [];
  private isScheduled = false;
  private isWorking = false;
  private isStopped = false;
  private failed: Error | undefined;
  private tickTimer: Timer | undefined;
  private lastTickAt: number;
  private nextContext: number;
  private membership: Membership;
  private appliedIndex: number;
  private appliedWaiters: { index: number; resolve: () => void }[] = [];
  private receiving = false;
  private isInstalling = false;
  private lastAppended: number;
  private appliedTerm: number;
  private ticks = 0;
  /** Woken when no write is under way, and when the node fails. */
  private drainWaiters: (() => void)[] = [];
  private wakeFailed!: () => void;
  private readonly whenFailed = new Promise<void>((resolve) => {
    this.wakeFailed = resolve;
  });
  private onReplayed: ((index: number) => void) | undefined;

  /** What the log says was committed before this start: below it, nothing may be read, whatever the consistency. */
  readonly recoveredCommit: number;
  /** What the start found. */
  readonly recovered: Recovered;

  private constructor(
    private readonly options: RaftNodeOptions,
    private readonly log: NodeLog,
    private readonly snapshots: SnapshotStore,
  ) {
    const { identity, clock, random } = options;
    this.tickMs = options.tickMs ?? 25;
    const ticks = (ms: number): number => Math.max(1, Math.round(ms / this.tickMs));
    const heartbeatTicks = ticks(options.heartbeatMs ?? 100);
    const snapshot = log.snapshot();
    this.raft = new Raft(
      {
        id: identity.nodeId,
        electionTicks: Math.max(heartbeatTicks + 1, ticks(options.electionTimeoutMs ?? 500)),
        heartbeatTicks,
        random,
      },
      log,
      log.hardState,
    );
    this.appliedIndex = snapshot.index;
    this.appliedTerm = snapshot.term;
    this.lastAppended = log.lastIndex();
    this.recoveredCommit = log.hardState.commit;
    this.recovered = {
      snapshotIndex: snapshot.index,
      snapshotBytes: snapshots.latest()?.dataBytes ?? 0,
      entries: log.lastIndex() - snapshot.index,
    };
    this.nextContext = Math.floor(random() * 2 ** 40) * 4096;
    this.lastTickAt = clock.monotonicMs();
    this.membership = this.raft.status().membership;
    this.snapshotter = new Snapshotter({
      clock,
      log,
      snapshots,
      cut: (metadata) => options.stateMachine.cut(metadata),
      position: () => this.positionNow(),
      logBytes: options.snapshotLogBytes ?? 128 * 1024 * 1024,
      tailBytes: options.logTailBytes ?? 64 * 1024 * 1024,
      intervalMs: options.snapshotIntervalMs,
      isVolatile: options.directory === undefined,
      onNotice: (text) => options.onNotice?.(text),
    });
  }

  /**
   * Opens log and snapshots, restores the state machine, replays what is known to be committed (a node that is the only voter:
   * its whole log) and joins the cluster.
   *
   * @throws StorageError for what is wrong with the directory; whatever the state machine throws while installing
   */
  static async start(options: RaftNodeOptions): Promise<RaftNode> {
    const { snapshots, log, node } = await RaftNode.open(options);
    try {
      await node.restore(snapshots);
      options.transport.start({
        onMessages: (messages) => node.receive(messages),
        onSnapshot: (message, data, dataBytes) => node.receiveSnapshot(message, data, dataBytes),
        onUnreachable: (to) => node.guard(() => node.raft.reportUnreachable(to)),
      });
      options.transport.setMembership(node.membership);
      await node.replay();
      node.armTick();
      node.snapshotter.start();
      return node;
    } catch (error) {
      node.isStopped = true;
      await options.transport.close();
      await log.close();
      throw error;
    }
  }

  private static async open(
    options: RaftNodeOptions,
  ): Promise<{ snapshots: SnapshotStore; log: NodeLog; node: RaftNode }> {
    const { identity, directory, clock } = options;
    const initial: SnapshotMetadata = { index: 0, term: 0, membership: identity.initialMembership };
    let node: RaftNode | undefined;
    if (directory === undefined) {
      const snapshots = new MemorySnapshotStore();
      const log = new MemoryLog(initial);
      return { snapshots, log, node: new RaftNode(options, log, snapshots) };
    }
    const { disk, path } = directory;
    const snapshots = await FileSnapshotStore.open(disk, snapshotDirectory(path), options.onNotice);
    let failure: Error | undefined;
    const log = await Wal.open({
      disk,
      clock,
      directory: logDirectory(path),
      clusterId: identity.clusterId,
      nodeId: identity.nodeId,
      salt: identity.salt,
      durability: options.durability,
      snapshot: snapshots.latest()?.metadata ?? initial,
      mustExist: identity.starts > 1,
      onFailure: (error) => {
        if (node === undefined) failure = error;
        else node.fail(error);
      },
      onNotice: options.onNotice,
      onProgress: (done, total) => options.onRecovery?.({ phase: 'log', done, total }),
      segmentBytes: options.segmentBytes,
    });
    if (failure !== undefined) throw failure;
    try {
      node = new RaftNode(options, log, snapshots);
    } catch (error) {
      await log.close();
      throw error;
    }
    return { snapshots, log, node };
  }

  // What the program asks

  get id(): NodeId {
    return this.options.identity.nodeId;
  }

  /** Index of the last entry that the state machine has applied. */
  get applied(): number {
    return this.appliedIndex;
  }

  /** Whether this leader reached a majority within the last election timeout. */
  get leaseValid(): boolean {
    return this.raft.leaseValid();
  }

  status(): Status {
    return this.raft.status();
  }

  /** Snapshots and sizes, for INFO and RAFTSTATS. */
  storageStatus(): {
    snapshot: SnapshotMetadata;
    logBytes: number;
    lastSyncMs: number;
    isSnapshotting: boolean;
  } {
    return {
      snapshot: this.log.snapshot(),
      logBytes: this.log.bytes,
      lastSyncMs: this.log instanceof Wal ? this.log.lastSyncMs : 0,
      isSnapshotting: this.snapshotter.isBusy,
    };
  }

  /**
   * Proposes a payload, which must not change from now on. Batches of one turn go out together.
   *
   * @returns where it will stand if it commits; undefined if this node does not lead or is stopping
   */
  propose(payload: Uint8Array): Proposed | undefined {
    if (this.isStopped) return undefined;
    const proposed = this.raft.propose(payload);
    if (proposed !== undefined) this.schedule();
    return proposed;
  }

  /** @returns where the change stands if it commits, or why it was refused */
  proposeMembership(change: MembershipChange): Proposed | { readonly refused: MembershipRefusal } {
    if (this.isStopped) return { refused: 'not-leader' };
    const result = this.raft.proposeMembership(change);
    this.schedule();
    return result;
  }

  /**
   * Asks from when on a read is linearizable. One answer stands for all reads of a turn.
   *
   * @returns the context under which `onReadStates` or `onReadsDropped` will answer; undefined if no leader is known
   */
  readIndex(): number | undefined {
    if (this.isStopped) return undefined;
    const context = this.nextContext++;
    if (!this.raft.readIndex(context)) return undefined;
    this.schedule();
    return context;
  }

  /** @returns false if this node does not lead or `to` is not another voter */
  transferLeadership(to: NodeId): boolean {
    const isUnderWay = !this.isStopped && this.raft.transferLeadership(to);
    this.schedule();
    return isUnderWay;
  }

  /** Stands for election now. */
  campaign(): void {
    this.guard(() => this.raft.campaign());
  }

  /** Resolves when the entry at `index` is applied, or at once if it is; never after the node has stopped. */
  whenApplied(index: number): Promise<void> {
    if (index <= this.appliedIndex) return Promise.resolve();
    return new Promise((resolve) => {
      this.appliedWaiters.push({ index, resolve });
    });
  }

  /** Takes a snapshot of the state as of now, and shortens the log. Joins one that is under way. */
  takeSnapshot(): Promise<SnapshotMetadata> {
    return this.snapshotter.take();
  }

  /** Durability is the cluster's: the state machine calls this when an entry changes it. */
  setDurability(durability: Durability): void {
    this.log.setDurability(durability);
  }

  /** Does now what is due, instead of at the end of the turn: in memory, a single node has applied its proposals then. */
  flush(): void {
    this.work();
  }

  /**
   * Finishes what is being written (a node without peers has applied it then), closes log and peers. Nothing of the node keeps
   * the process alive afterwards.
   */
  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.work();
    while (this.outstanding.length > 0 && this.failed === undefined) {
      await new Promise<void>((resolve) => {
        this.drainWaiters.push(resolve);
      });
      this.work();
    }
    if (this.isStopped) return;
    this.isStopped = true;
    this.tickTimer?.cancel();
    await this.snapshotter.stop();
    await this.options.transport.close();
    await this.log.close();
  }

  // Start

  private async restore(snapshots: SnapshotStore): Promise<void> {
    const reader = await snapshots.openLatest();
    if (reader === undefined) return;
    const onRecovery = this.options.onRecovery;
    try {
      await this.options.stateMachine.install(
        onRecovery === undefined
          ? reader
          : counting(reader, (done) => onRecovery({ phase: 'snapshot', done, total: reader.dataBytes })),
      );
    } finally {
      await reader.close();
    }
  }

  private async replay(): Promise<void> {
    const { membership } = this;
    const voters = membership.members.filter((member) => !member.learner);
    const isSole = voters.length === 1 && voters[0]!.id === this.id;
    const from = this.appliedIndex;
    const target = isSole ? from + this.recovered.entries : this.recoveredCommit;
    const onRecovery = this.options.onRecovery;
    if (onRecovery !== undefined) {
      this.onReplayed = (index) => onRecovery({ phase: 'replay', done: index - from, total: target - from });
    }
    this.work();
    if (this.failed === undefined) {
      await Promise.race([this.whenApplied(target), this.whenFailed]);
    }
    this.onReplayed = undefined;
    if (this.failed !== undefined) throw this.failed;
  }

  // Time

  private armTick(): void {
    const { clock } = this.options;
    this.lastTickAt = clock.monotonicMs();
    const due = (): void => {
      // Input that came while the loop stood still is listened to before silence is judged.
      clock.afterInput(() => {
        if (this.isStopped || this.failed !== undefined) return;
        this.guard(() => this.tick());
        this.tickTimer = clock.setTimer(
          Math.max(1, this.lastTickAt + this.tickMs - clock.monotonicMs()),
          due,
        );
      });
    };
    this.tickTimer = clock.setTimer(this.tickMs, due);
  }

  private tick(): void {
    const elapsed = Math.floor((this.options.clock.monotonicMs() - this.lastTickAt) / this.tickMs);
    if (elapsed < 1) return;
    this.lastTickAt += elapsed * this.tickMs;
    if (elapsed > 1) this.raft.stalled(elapsed - 1);
    this.raft.tick();
    if (++this.ticks % 40 === 0 && this.raft.status().logLost) {
      throw new Error(
        'this node lost entries that it had acknowledged: remove it from the cluster (RAFTREMOVEPEER), empty its directory and let it join anew',
      );
    }
  }

  // Peers

  private receive(messages: readonly Message[]): void {
    this.guard(() => {
      for (const message of messages) if (message.type !== 'snapshot') this.raft.step(message);
    });
  }

  private async receiveSnapshot(
    message: SnapshotMessage,
    data: AsyncIterable<Uint8Array>,
    dataBytes: number,
  ): Promise<boolean> {
    const { snapshot, from } = message;
    if (this.isStopped || this.failed !== undefined || this.receiving) return false;
    const { term, commit } = this.raft.status();
    if (message.term < term) return false;
    if (snapshot.index > commit) {
      this.receiving = true;
      try {
        const writer = await this.snapshots.begin(snapshot);
        let bytes = 0;
        try {
          for await (const chunk of data) {
            if (this.isStopped) throw new Error('stopped');
            await writer.write(chunk);
            bytes += chunk.length;
            this.options.onTransfer?.({ direction: 'in', peer: from, bytes, bytesTotal: dataBytes });
          }
          if (bytes !== dataBytes) throw new Error(`${bytes} of ${dataBytes} bytes arrived`);
        } catch (error) {
          await writer.abort();
          throw error;
        }
        await writer.commit();
      } catch (error) {
        this.options.onNotice?.(`snapshot ${snapshot.index} from node ${from}: ${(error as Error).message}`);
        return false;
      } finally {
        this.receiving = false;
      }
    }
    this.guard(() => this.raft.step(message));
    return true;
  }

  private async sendSnapshot(message: SnapshotMessage): Promise<void> {
    const { to } = message;
    let isTaken = false;
    try {
      const reader = await this.snapshotter.read(message.snapshot.index);
      const release = this.snapshotter.hold(reader.metadata.index);
      try {
        isTaken = await this.options.transport.sendSnapshot(
          { ...message, snapshot: reader.metadata },
          reader,
          (bytes, bytesTotal) => this.options.onTransfer?.({ direction: 'out', peer: to, bytes, bytesTotal }),
        );
      } finally {
        release();
      }
    } catch (error) {
      this.options.onNotice?.(`snapshot for node ${to}: ${(error as Error).message}`);
    }
    this.guard(() => this.raft.reportSnapshot(to, isTaken));
  }

  // Work

  private schedule(): void {
    if (this.isScheduled || this.isWorking) return;
    this.isScheduled = true;
    queueMicrotask(() => {
      this.isScheduled = false;
      this.work();
    });
  }

  /** Runs a step of the core. A broken invariant ends the node: it must not go on as if nothing were. */
  private guard(step: () => void): void {
    if (this.isStopped || this.failed !== undefined) return;
    try {
      step();
    } catch (error) {
      this.fail(error as Error);
      return;
    }
    this.schedule();
  }

  private work(): void {
    if (this.isWorking || this.isStopped || this.failed !== undefined) return;
    this.isWorking = true;
    try {
      const { clock } = this.options;
      const started = clock.monotonicMs();
      while (this.raft.hasReady() && this.failed === undefined) {
        this.handle(this.raft.ready());
        if (clock.monotonicMs() - started > sliceMs && this.raft.hasReady()) {
          clock.afterInput(() => this.work());
          break;
        }
      }
    } catch (error) {
      this.fail(error as Error);
    } finally {
      this.isWorking = false;
    }
  }

  private handle(ready: Ready): void {
    const { options } = this;
    if (ready.messages.length > 0) this.send(ready.messages);
    if (ready.softState !== undefined) options.onSoftState?.(ready.softState);
    this.write(ready);
    if (ready.snapshot !== undefined) this.install(ready.snapshot);
    if (ready.committed.length > 0) this.apply(ready.committed);
    if (ready.readStates.length > 0) options.onReadStates?.(ready.readStates);
    if (ready.readsDropped.length > 0) options.onReadsDropped?.(ready.readsDropped);
    const { entries } = ready;
    const isReplaced = entries.length > 0 && entries[0]!.index <= this.lastAppended;
    if (entries.length > 0) this.lastAppended = entries.at(-1)!.index;
    if (
      ready.snapshot !== undefined ||
      isReplaced ||
      entries.some((entry) => entry.kind === EntryKind.membership)
    ) {
      this.membershipChanged();
    }
  }

  /** Writes what the Ready orders, and lets its promises leave when that and all before it is durable. */
  private write(ready: Ready): void {
    const { sequence, hardState, entries, snapshot, messagesAfterPersist: messages } = ready;
    const hasWrite = hardState !== undefined || entries.length > 0 || snapshot !== undefined;
    if (!hasWrite && messages.length === 0) return;
    const item: Outstanding = { sequence, messages, isDone: !hasWrite };
    this.outstanding.push(item);
    const done = (error?: StorageError): void => {
      if (error !== undefined) return;
      item.isDone = true;
      this.releasePersisted();
    };
    if (snapshot !== undefined) {
      if (hardState !== undefined) this.log.append(hardState, []);
      this.log.reset(snapshot, entries.length > 0 ? undefined : done);
      if (entries.length > 0) this.log.append(undefined, entries, done);
    } else if (hasWrite) {
      this.log.append(hardState, entries, done);
    } else {
      this.releasePersisted();
    }
  }

  private releasePersisted(): void {
    if (this.failed !== undefined) return;
    let count = 0;
    while (count < this.outstanding.length && this.outstanding[count]!.isDone) count++;
    if (count === 0) return;
    const released = this.outstanding.splice(0, count);
    if (this.outstanding.length === 0) this.wakeDrain();
    this.guard(() => {
      for (const { messages } of released) if (messages.length > 0) this.send(messages);
      this.raft.persisted(released.at(-1)!.sequence);
    });
  }

  private wakeDrain(): void {
    const waiters = this.drainWaiters;
    this.drainWaiters = [];
    for (const wake of waiters) wake();
  }

  private send(messages: readonly Message[]): void {
    const { transport } = this.options;
    let from = 0;
    for (let i = 1; i <= messages.length; i++) {
      const { to, type } = messages[from]!;
      if (type === 'snapshot') {
        void this.sendSnapshot(messages[from] as SnapshotMessage);
        from = i;
      } else if (i === messages.length || messages[i]!.to !== to || messages[i]!.type === 'snapshot') {
        transport.send(to, from === 0 && i === messages.length ? messages : messages.slice(from, i));
        from = i;
      }
    }
  }

  private apply(entries: readonly Entry[]): void {
    const { index, term } = entries.at(-1)!;
    try {
      this.options.stateMachine.apply(entries);
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`entries ${entries[0]!.index} to ${index} could not be applied: ${message}`, {
        cause: error,
      });
    }
    this.advance(index, term);
    this.raft.applied(index);
    this.snapshotter.applied(entries);
  }

  private advance(index: number, term: number): void {
    this.appliedIndex = index;
    this.appliedTerm = term;
    this.onReplayed?.(index);
    if (this.appliedWaiters.length === 0) return;
    const due = this.appliedWaiters.filter((waiter) => waiter.index <= index);
    this.appliedWaiters = this.appliedWaiters.filter((waiter) => waiter.index > index);
    for (const { resolve } of due) resolve();
  }

  private install(snapshot: SnapshotMetadata): void {
    this.isInstalling = true;
    const run = async (): Promise<void> => {
      const reader = await this.snapshots.openLatest();
      try {
        if (reader === undefined || reader.metadata.index !== snapshot.index) {
          throw new Error(
            `snapshot ${snapshot.index} is to be installed, but ${reader?.metadata.index} is there`,
          );
        }
        await this.options.stateMachine.install(reader);
      } finally {
        await reader?.close();
      }
      this.isInstalling = false;
      this.advance(snapshot.index, snapshot.term);
      this.guard(() => this.raft.snapshotInstalled(snapshot));
    };
    run().catch((error) => this.fail(error));
  }

  private membershipChanged(): void {
    this.membership = this.raft.status().membership;
    this.options.transport.setMembership(this.membership);
    this.options.onMembership?.(this.membership);
  }

  private positionNow(): SnapshotMetadata {
    if (this.isInstalling) throw new Error('a snapshot is being installed');
    const index = this.appliedIndex;
    const term = this.appliedTerm;
    return { index, term, membership: this.raft.membershipAt(index) };
  }

  private fail(error: Error): void {
    if (this.failed !== undefined) return;
    this.failed = error;
    this.tickTimer?.cancel();
    this.wakeDrain();
    this.wakeFailed();
    this.options.onFailure(error);
  }
}

function counting(reader: SnapshotReader, onBytes: (bytes: number) => void): SnapshotReader {
  let bytes = 0;
  return {
    metadata: reader.metadata,
    dataBytes: reader.dataBytes,
    next: async () => {
      const chunk = await reader.next();
      bytes += chunk?.length ?? 0;
      onBytes(bytes);
      return chunk;
    },
    close: () => reader.close(),
  };
}
