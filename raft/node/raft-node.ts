/**
 * A node of a cluster: the consensus core with its log, its snapshots, its clock and its peers. It carries
 * out what the core orders, in the order that the core's `Ready` states, and hands committed entries to the
 * state machine.
 *
 * Several batches may be on their way to the disk at once; what promises something about a batch leaves when
 * it is durable.
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
  type Ready,
  reachable,
  type SnapshotMetadata,
  type Status,
} from '../index.js';
import { AppliedPosition } from './applied-position.js';
import { CommitNotices } from './commit-notices.js';
import type { StorageError } from './errors.js';
import { Estrangement } from './estrangement.js';
import { MessageSender } from './message-sender.js';
import type { RaftNodeOptions, Recovered, StorageStatus } from './node-options.js';
import { openStorage, statusOfStorage } from './node-storage.js';
import { type Outstanding, OutstandingWrites } from './outstanding.js';
import { restoreLatest } from './snapshot/restore-latest.js';
import { Snapshotter } from './snapshot/snapshotter.js';
import type { SnapshotStore } from './snapshot/store.js';
import { SnapshotTransfers } from './snapshot/transfers.js';
import { Ticker } from './ticker.js';
import { queueMicrotask } from './timers.js';
import { timingOf } from './timing.js';
import type { NodeLog } from './wal/node-log.js';
import type { Durability } from './wal/options.js';
import { Wal } from './wal/wal.js';

/** How long one round of work may keep the event loop before it lets input and timers in. */
const sliceMs = 10;

const changesMembership = ({ kind }: Entry): boolean => kind === EntryKind.membership;

export class RaftNode {
  private readonly raft: Raft;
  /** How long a tick of the core is. */
  readonly tickMs: number;
  readonly snapshotter: Snapshotter;
  private readonly transfers: SnapshotTransfers;
  private readonly notices: CommitNotices;
  private readonly sender: MessageSender;
  private readonly outstanding: OutstandingWrites;
  private isScheduled = false;
  private isWorking = false;
  private isStopped = false;
  private failed: Error | undefined;
  private readonly ticker: Ticker;
  private nextContext: number;
  private membership: Membership;
  private readonly progress: AppliedPosition;
  private isInstalling = false;
  private lastAppended: number;
  private readonly estrangement = new Estrangement();
  /** Woken when a write has become durable, and when the node fails. */
  private drainWaiters: (() => void)[] = [];
  private wakeFailed!: () => void;
  private readonly whenFailed = new Promise<void>((resolve) => {
    this.wakeFailed = resolve;
  });

  /**
   * What the log says was committed before this start: below it, nothing may be read, whatever the
   * consistency.
   */
  readonly recoveredCommit: number;
  /** What the start found. */
  readonly recovered: Recovered;

  private constructor(
    private readonly options: RaftNodeOptions,
    readonly log: NodeLog,
    private readonly snapshots: SnapshotStore,
  ) {
    const { identity, clock, random } = options;
    const { tickMs, electionTicks, heartbeatTicks } = timingOf(options);
    this.tickMs = tickMs;
    const snapshot = log.snapshot();
    this.outstanding = new OutstandingWrites(tickMs, 2 * electionTicks);
    this.raft = new Raft({ id: identity.nodeId, electionTicks, heartbeatTicks, random }, log, log.hardState);
    this.progress = new AppliedPosition(snapshot.index, snapshot.term);
    this.lastAppended = log.lastIndex();
    this.recoveredCommit = log.hardState.commit;
    this.recovered = {
      snapshotIndex: snapshot.index,
      snapshotBytes: snapshots.latest()?.dataBytes ?? 0,
      entries: log.lastIndex() - snapshot.index,
    };
    this.nextContext = Math.floor(random() * 2 ** 40) * 4096;
    this.ticker = new Ticker(clock, this.tickMs, {
      isRunning: () => this.isRunning,
      ticked: (elapsed) => this.guard(() => this.tick(elapsed)),
    });
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
      neededFrom: () => this.neededFrom(),
      freeBytes: async () => (await options.directory?.disk.freeBytes(options.directory.path)) ?? 0,
      onNotice: (text) => options.onNotice?.(text),
    });
    this.notices = new CommitNotices(clock, (to, messages) => options.transport.send(to, messages));
    this.transfers = new SnapshotTransfers({
      clock,
      transport: options.transport,
      snapshots,
      snapshotter: this.snapshotter,
      isRunning: () => this.isRunning,
      stateMachine: options.stateMachine,
      position: () => this.raft.status(),
      examine: (message) => this.raft.examine(message),
      step: (message) => this.guard(() => this.raft.step(message)),
      report: (to, isTaken) => this.guard(() => this.raft.reportSnapshot(to, isTaken)),
      onTransfer: options.onTransfer,
      onNotice: options.onNotice,
    });
    this.sender = new MessageSender(options.transport, this.notices, this.transfers);
  }

  /**
   * Opens log and snapshots, restores the state machine, replays what is known to be committed (a node that
   * is the only voter: its whole log) and joins the cluster.
   *
   * @throws StorageError for what is wrong with the directory; whatever the state machine throws while
   * installing
   */
  static async start(options: RaftNodeOptions): Promise<RaftNode> {
    const { snapshots, log, node } = await RaftNode.open(options);
    try {
      await restoreLatest(snapshots, options);
      options.transport.start({
        onMessages: (messages) => node.receive(messages),
        onSnapshot: (message, data, dataBytes) => node.transfers.receive(message, data, dataBytes),
        onUnreachable: (to) => node.guard(() => node.raft.reportUnreachable(to)),
        onPulse: (pulse) => node.guard(() => node.raft.feelPulse(pulse)),
      });
      node.tellTransport();
      await node.replay();
      const { term, role } = node.status();
      options.transport.pulse?.stands(term, role === 'leader');
      node.ticker.start();
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
    let node: RaftNode | undefined;
    let early: Error | undefined;
    const { log, snapshots } = await openStorage(options, (error) => {
      if (node === undefined) early = error;
      else node.fail(error);
    });
    try {
      if (early !== undefined) throw early;
      node = new RaftNode(options, log, snapshots);
    } catch (error) {
      await log.close();
      throw error;
    }
    return { snapshots, log, node };
  }

  // What the program asks

  /** Whether it neither failed nor was stopped. */
  get isRunning(): boolean {
    return !this.isStopped && this.failed === undefined;
  }

  get id(): NodeId {
    return this.options.identity.nodeId;
  }

  /** Index of the last entry that the state machine has applied. */
  get applied(): number {
    return this.progress.index;
  }

  /**
   * Whether no other node can lead now: this leader reached a majority within the last election timeout, and
   * has asked nobody to take over.
   */
  get leaseValid(): boolean {
    return this.raft.leaseValid(this.ticker.passed());
  }

  /** Whether this leader reached a majority within the last election timeout. */
  get quorumHeld(): boolean {
    return this.raft.quorumHeld(this.ticker.passed());
  }

  status(): Status {
    return this.raft.status();
  }

  /** Snapshots and sizes, for INFO and RAFTSTATS. */
  storageStatus(): StorageStatus {
    return { ...statusOfStorage(this.log, this.snapshots), isSnapshotting: this.snapshotter.isBusy };
  }

  /** The longest that a sync has taken since this was asked last. */
  takeSlowestSyncMs(): number {
    return this.log instanceof Wal ? this.log.takeSlowestSyncMs() : 0;
  }

  /**
   * Proposes a payload, which must not change from now on. Batches of one turn go out together.
   *
   * @returns where it will stand if it commits; undefined if this node does not lead or is stopping
   */
  propose(payload: Uint8Array): Proposed | undefined {
    if (!this.isRunning) return undefined;
    const proposed = this.raft.propose(payload);
    if (proposed !== undefined) this.schedule();
    return proposed;
  }

  /** @returns where the change stands if it commits, or why it was refused */
  proposeMembership(change: MembershipChange): Proposed | { readonly refused: MembershipRefusal } {
    if (!this.isRunning) return { refused: 'not-leader' };
    const result = this.raft.proposeMembership(change);
    this.schedule();
    return result;
  }

  /**
   * Asks from when on a read is linearizable. One answer stands for all reads of a turn.
   *
   * @returns the context under which `onReadStates` or `onReadsDropped` will answer; undefined if no leader
   * is known
   */
  readIndex(): number | undefined {
    if (!this.isRunning) return undefined;
    const context = this.nextContext++;
    if (!this.raft.readIndex(context)) return undefined;
    this.schedule();
    return context;
  }

  /** @returns false if this node does not lead or `to` is not another voter */
  transferLeadership(to: NodeId): boolean {
    const isUnderWay = this.isRunning && this.raft.transferLeadership(to);
    this.schedule();
    return isUnderWay;
  }

  /** Whether this node may stand for election (see the core's `setMayLead`). */
  setMayLead(mayLead: boolean): void {
    this.guard(() => this.raft.setMayLead(mayLead));
  }

  /** Stands for election now. */
  campaign(): void {
    this.guard(() => this.raft.campaign());
  }

  /** Resolves when the entry at `index` is applied, or at once if it is; never after the node has stopped. */
  whenApplied(index: number): Promise<void> {
    return this.progress.reaches(index);
  }

  /** Takes a snapshot of the state as of now, and shortens the log. Joins one that is under way. */
  takeSnapshot(): Promise<SnapshotMetadata> {
    return this.snapshotter.take();
  }

  /** Durability is the cluster's: the state machine calls this when an entry changes it. */
  setDurability(durability: Durability): void {
    this.log.setDurability(durability);
  }

  /**
   * Does now what is due, instead of at the end of the turn: in memory, a single node has applied its
   * proposals then.
   */
  flush(): void {
    this.work();
  }

  /**
   * Finishes what is being written (a node without peers has applied it then), closes log and peers. Nothing
   * of the node keeps the process alive afterwards.
   */
  async stop(): Promise<void> {
    if (this.isStopped) return;
    this.work();
    const { last } = this.outstanding;
    while (this.outstanding.first <= last && this.failed === undefined) {
      await new Promise<void>((resolve) => {
        this.drainWaiters.push(resolve);
      });
      this.work();
    }
    if (this.isStopped) return;
    this.isStopped = true;
    this.ticker.stop();
    this.notices.close();
    await this.snapshotter.stop();
    await this.options.transport.close();
    await this.log.close();
  }

  // Start

  private async replay(): Promise<void> {
    const { membership } = this;
    const voters = membership.members.filter((member) => !member.learner);
    const isSole = voters.length === 1 && voters[0]!.id === this.id;
    const from = this.applied;
    const target = isSole ? from + this.recovered.entries : this.recoveredCommit;
    const onRecovery = this.options.onRecovery;
    if (onRecovery !== undefined) {
      this.progress.onAdvance = (index) =>
        onRecovery({ phase: 'replay', done: index - from, total: target - from });
    }
    this.work();
    if (this.failed === undefined) {
      await Promise.race([this.whenApplied(target), this.whenFailed]);
    }
    this.progress.onAdvance = undefined;
    if (this.failed !== undefined) throw this.failed;
  }

  // Time

  private tick(elapsed: number): void {
    if (elapsed === 0) return;
    this.options.transport.pulse?.turned();
    if (elapsed > 1) this.raft.stalled(elapsed - 1);
    this.raft.tick();
    this.judgeDisk();
    this.estrangement.tick(this.raft, this.options.onNotice);
  }

  /** A disk that does not get its oldest write done is no leader's; the others' may be well. */
  private judgeDisk(): void {
    const news = this.outstanding.tick();
    if (news === undefined) return;
    this.options.onNotice?.(news.text);
    this.raft.setDiskAnswers(news.answers);
  }

  // Peers

  private receive(messages: readonly Message[]): string | undefined {
    let refused: string | undefined;
    this.guard(() => {
      for (const message of messages) {
        refused = message.type === 'snapshot' ? 'a snapshot without data' : this.raft.examine(message);
        if (refused !== undefined) return;
        this.raft.step(message);
      }
    });
    return refused;
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
    if (!this.isRunning) return;
    try {
      step();
    } catch (error) {
      this.fail(error as Error);
      return;
    }
    this.schedule();
  }

  private work(): void {
    if (this.isWorking || !this.isRunning) return;
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
    if (ready.messages.length > 0) this.sender.send(ready.messages);
    if (ready.softState !== undefined) {
      const { term, role } = ready.softState;
      options.transport.pulse?.stands(term, role === 'leader');
      options.onSoftState?.(ready.softState);
    }
    this.write(ready);
    if (ready.snapshot !== undefined) this.install(ready.snapshot);
    if (ready.committed.length > 0) this.apply(ready.committed);
    if (ready.readStates.length > 0) options.onReadStates?.(ready.readStates);
    if (ready.readsDropped.length > 0) options.onReadsDropped?.(ready.readsDropped);
    const { entries } = ready;
    const isReplaced = entries.length > 0 && entries[0]!.index <= this.lastAppended;
    if (entries.length > 0) this.lastAppended = entries.at(-1)!.index;
    if (ready.snapshot !== undefined || isReplaced || entries.some(changesMembership))
      this.membershipChanged();
    else if (ready.committed.some(changesMembership)) this.tellTransport();
  }

  /** Writes what the Ready orders, and lets its promises leave when that and all before it is durable. */
  private write(ready: Ready): void {
    const { sequence, hardState, entries, snapshot, messagesAfterPersist: messages } = ready;
    const hasWrite = hardState !== undefined || entries.length > 0 || snapshot !== undefined;
    if (!hasWrite && messages.length === 0) return;
    let bytes = 0;
    for (const { payload } of entries) bytes += payload.length;
    const item: Outstanding = { sequence, messages, bytes, isDone: !hasWrite };
    this.outstanding.add(item);
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
    const released = this.outstanding.release();
    if (released.length === 0) return;
    this.guard(() => {
      for (const { messages } of released) if (messages.length > 0) this.sender.send(messages);
      this.raft.persisted(released.at(-1)!.sequence);
    });
    this.wakeDrain();
  }

  private wakeDrain(): void {
    for (const wake of this.drainWaiters.splice(0)) wake();
  }

  private apply(entries: readonly Entry[]): void {
    const { index, term } = entries.at(-1)!;
    const { clock } = this.options;
    const beganMs = clock.monotonicMs();
    try {
      this.options.stateMachine.apply(entries);
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`entries ${entries[0]!.index} to ${index} could not be applied: ${message}`, {
        cause: error,
      });
    }
    this.progress.advance(index, term);
    this.raft.applied(index);
    this.snapshotter.applied(entries, clock.monotonicMs() - beganMs);
  }

  private install(snapshot: SnapshotMetadata): void {
    this.isInstalling = true;
    const run = async (): Promise<void> => {
      await this.transfers.install(snapshot);
      this.isInstalling = false;
      this.progress.advance(snapshot.index, snapshot.term);
      this.guard(() => this.raft.snapshotInstalled(snapshot));
    };
    run().catch((error) => this.fail(error));
  }

  private membershipChanged(): void {
    this.membership = this.raft.status().membership;
    this.tellTransport();
    this.options.onMembership?.(this.membership);
  }

  private tellTransport(): void {
    const committed = this.raft.membershipAt(this.raft.status().commit);
    this.options.transport.setMembership(reachable(this.membership, committed));
  }

  /** The log that peers need which answer and are behind, be it that they have just got a snapshot. */
  private neededFrom(): number {
    let from = Number.POSITIVE_INFINITY;
    for (const { recentActive, logLost, match, state } of this.raft.status().peers)
      if (recentActive && !logLost && state !== 'snapshot') from = Math.min(from, match);
    return from;
  }

  /** Whether a peer needs a snapshot and the last attempt to send it one has failed. */
  isSnapshotFailing(peer: NodeId): boolean {
    return this.transfers.isFailing(peer);
  }

  private positionNow(): SnapshotMetadata {
    if (this.isInstalling) throw new Error('a snapshot is being installed');
    const { index, term } = this.progress;
    return { index, term, membership: this.raft.membershipAt(index) };
  }

  private fail(error: Error): void {
    if (this.failed !== undefined) return;
    this.failed = error;
    this.options.transport.pulse?.stop();
    this.ticker.stop();
    this.notices.drop();
    this.wakeDrain();
    this.wakeFailed();
    this.options.onFailure(error);
  }
}
