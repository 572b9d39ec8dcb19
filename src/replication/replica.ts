/**
 * The state machine's place in the log: collects a turn's writes into one entry, proposes it, applies what is
 * committed, and brings each reply to the connection that waits for it.
 */
import {
  type ApplyListener,
  BLOCKED,
  type CommandWatch,
  type Engine,
  EntryBuilder,
  EntryReader,
  type ErrorReply,
  type ItemCaller,
  ItemKind,
  type ReadCommand,
  type Reply,
  type Request,
  type ScriptAudience,
  type Session,
  type View,
  type WatchedKey,
} from '../../engine/index.js';
import { type Entry, EntryKind } from '../../raft/index.js';
import { type Clock, payloadBytesMax } from '../../raft/node/index.js';
import { monotonicNow, setImmediate } from '../../raft/node/timers.js';
import { replies } from '../replies.js';
import type { ConsensusNode } from './consensus.js';

/** From here on an entry takes no further commands. */
const FULL_ENTRY_BYTES = 256 * 1024;
/** What would make an entry larger than this gets one of its own: only a single item does. */
const SHARED_ENTRY_BYTES = 16 * 1024 * 1024;
/** The largest single item, which the log and peers can still carry as an entry. */
const ITEM_BYTES_MAX = payloadBytesMax - 1024;

/** Who gets the reply to an item: a connection, or the program itself. */
export interface ReplyTarget {
  /**
   * The item's reply, in the apply that made it; views in it are void afterwards. BLOCKED: it comes later, by
   * a wake.
   *
   * @param isApplied false where the item was refused: then no quorum has answered, and the state may be a
   * stale one
   */
  complete(reply: Reply, isApplied?: boolean): void;
  /**
   * The item was refused before anything happened to it, in place of {@link complete}.
   *
   * @param request one that was queued as it came: its bytes do not change any more
   */
  refused?(error: ErrorReply, request: { readonly raw: Buffer; readonly writes: true } | undefined): void;
  /** Nobody knows whether the item was or will be applied. */
  outcomeUnknown(error: ErrorReply): void;
  /** A read queued in MULTI is about to run at its place in EXEC. */
  readInTransaction?(row: ReadCommand, request: Request): void;
  /** Who hears what the item's scripts call; undefined where nobody does. */
  scriptAudience?(): ScriptAudience | undefined;
  /** A command of the program queued in MULTI, at its place in EXEC. */
  runInTransaction(request: Request, database: number): Reply;
}

/** An entry that this node proposed and not yet saw applied. */
export class PendingEntry {
  index = 0;
  term = 0;
  proposedAtMs = 0;
  readonly targets: (ReplyTarget | undefined)[] = [];
  /** Of its payload. */
  byteLength = 0;
  /** What was refused. */
  payload: Buffer | undefined;

  /** Later turns that were refused while this one was in flight: their refusals stand behind its replies. */
  readonly refusedBehind: PendingEntry[] = [];

  /** Whether it is in the log, or was: nothing can be added. */
  get isProposed(): boolean {
    return this.index > 0;
  }
}

/** Who has the engine, and puts another one in its place when a snapshot is installed. */
export interface StateOwner {
  readonly engine: Engine;
}

export interface ReplicaEvents {
  /** A session of this node's start that waited has its reply. */
  wake(session: Session, reply: Reply): void;
  /** A message for this node's subscribers: see {@link ApplyListener.publish}. */
  publish(channel: View, message: View, isSharded: boolean): number;
  /** Why this node cannot propose. */
  refusal(): ErrorReply;
  /** Apply broke its promise: the process must stop. */
  failed(index: number, error: unknown): void;
  /** Another engine than `previous` is in use from now on. */
  adopted(previous: Engine): void;
  /** An entry was applied: replies may be flushed. */
  applied(): void;
}

/** How long an end waits for what is in flight. */
const DRAIN_MAX_MS = 5000;
/** How often it is looked whether a transfer of leadership has ended. */
const TRANSFER_POLL_MS = 5;

export class Replica implements ApplyListener {
  /** Set when the node ends: what is collected goes out now, whatever is under way. */
  isClosing = false;
  private collecting: PendingEntry | undefined;
  /** What {@link collecting} will propose. */
  private readonly builder: EntryBuilder;
  /** By index. Bounded by what connections have in flight. */
  private readonly pending = new Map<number, PendingEntry>();
  private applying: PendingEntry | undefined;
  /** The last entry that was proposed. */
  private newest: PendingEntry | undefined;
  private lastStampMs = 0;
  /** Monotonic time at which {@link lastStampMs} was set. */
  private stampedAtMs = 0;
  private flushScheduled = false;
  private pendingBytes = 0;
  private indexWaiters: { readonly index: number; readonly reached: (applied: number) => void }[] = [];
  /** Milliseconds from an entry's proposal to its application here, as an average that fades. */
  commitLatencyMs = 0;
  /** Told of each of these latencies. */
  commitTimes: { add(durationUs: number): void } | undefined;
  /** Whether this node's wall clock agrees with its peers'; otherwise time goes on from the last stamp. */
  wallClockBelieved = true;
  /** Told of the commands of this node's clients as they are applied. */
  watch: CommandWatch | undefined;
  /** Keys whose deletion the turn's entry holds already. */
  evictionsInTurn = 0;

  constructor(
    private readonly owner: StateOwner,
    private readonly consensus: Pick<ConsensusNode, 'propose' | 'flush' | 'isTransferring'>,
    /** This node's start: its counter is no client's. */
    readonly session: Session,
    private readonly clock: Clock,
    private readonly randomSeed: () => number,
    private readonly events: ReplicaEvents,
  ) {
    this.noteStamp(this.engine.keyspace.now);
    this.builder = new EntryBuilder(session.nodeId, session.startId);
  }

  /** The state as it stands: another engine after a snapshot was installed. */
  get engine(): Engine {
    return this.owner.engine;
  }

  /** The owner went on from `previous` to another engine: a snapshot was installed. */
  adopted(previous: Engine): void {
    const { engine } = this;
    this.noteStamp(engine.keyspace.now);
    this.reached(engine.appliedIndex);
    this.events.adopted(previous);
    this.events.applied();
  }

  // ---- proposing ----

  /** The entry that collects this turn's items. */
  get turn(): PendingEntry {
    if (this.collecting === undefined) {
      this.collecting = new PendingEntry();
      this.scheduleFlush();
    }
    return this.collecting;
  }

  /** Bytes of items that are not yet applied: those of the turn, and those in the log. */
  get proposedBytes(): number {
    return this.pendingBytes + (this.collecting === undefined ? 0 : this.builder.byteLength);
  }

  get itemsInTurn(): number {
    return this.collecting?.targets.length ?? 0;
  }

  /** Why an item of so many bytes cannot be added to this turn's entry, or undefined. */
  refusal(bytes: number): ErrorReply | undefined {
    if (this.fits(bytes)) return undefined;
    if (bytes > ITEM_BYTES_MAX) return replies.requestTooLarge(bytes, ITEM_BYTES_MAX);
    // What was collected cannot go out before it is known who leads.
    return this.mustWaitForTransfer ? this.events.refusal() : undefined;
  }

  /** Whether an item of so many bytes may join what was collected. */
  private fits(bytes: number): boolean {
    return this.builder.byteLength + bytes <= SHARED_ENTRY_BYTES;
  }

  private get mustWaitForTransfer(): boolean {
    return this.consensus.isTransferring && !this.isClosing;
  }

  /** Queues a request's own bytes. Returns its ordinal in {@link turn}. */
  command(
    target: ReplyTarget,
    session: Session,
    database: number,
    source: Buffer,
    start: number,
    end: number,
    caller?: ItemCaller,
  ): number {
    // One entry a turn, unless it is large: what fits a processor's cache is applied faster.
    if (this.builder.byteLength >= FULL_ENTRY_BYTES || !this.fits(end - start)) this.flush();
    this.turn.targets.push(target);
    return this.builder.command(session, database, source, start, end, caller);
  }

  exec(
    target: ReplyTarget,
    session: Session,
    database: number,
    watched: readonly WatchedKey[],
    requests: readonly Buffer[],
    bytes: number,
    caller?: ItemCaller,
  ): number {
    if (!this.fits(bytes)) this.flush();
    this.turn.targets.push(target);
    return this.builder.exec(session, database, watched, requests, caller);
  }

  /**
   * Queues what `add` puts into the builder, one item; for settings, evictions, disconnects.
   *
   * @param bytes at most what the item takes beyond some 100 bytes
   */
  item(target: ReplyTarget | undefined, bytes: number, add: (builder: EntryBuilder) => number): void {
    const refusal = this.refusal(bytes);
    if (refusal !== undefined) {
      target?.complete(refusal, false);
      return;
    }
    if (!this.fits(bytes)) this.flush();
    this.turn.targets.push(target);
    add(this.builder);
  }

  /** Sees to it that an entry is proposed this turn even if it stays empty: time moves on with it. */
  tick(): PendingEntry {
    return this.turn;
  }

  private scheduleFlush(): void {
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    // After all sockets that are readable now were read: one entry for the turn.
    this.clock.afterInput(() => {
      this.flushScheduled = false;
      this.flush();
    });
  }

  /** Proposes what the turn collected. */
  flush(): void {
    const entry = this.collecting;
    if (entry === undefined) return;
    if (this.mustWaitForTransfer) {
      // Soon it is known who leads: then the items go into the log, or nothing has happened to them.
      this.clock.setTimer(TRANSFER_POLL_MS, () => this.flush());
      return;
    }
    this.collecting = undefined;
    const payload = this.builder.finish(this.stamp(), this.randomSeed(), this.randomSeed());
    this.evictionsInTurn = 0;
    const proposed = this.consensus.propose(payload);
    if (proposed === undefined) {
      entry.payload = payload;
      this.refuse(entry);
      return;
    }
    entry.proposedAtMs = this.clock.monotonicMs();
    entry.index = proposed.index;
    entry.term = proposed.term;
    entry.byteLength = payload.length;
    this.pendingBytes += payload.length;
    this.pending.set(proposed.index, entry);
    this.newest = entry;
    this.consensus.flush();
  }

  /**
   * The next entry's time: never behind an earlier one, and it goes on at the pace of time while the wall
   * clock was set back.
   */
  private stamp(): number {
    this.noteStamp(this.timeMs());
    return this.lastStampMs;
  }

  /** What an entry would be stamped with now. */
  timeMs(): number {
    const { now } = this.engine.keyspace;
    const sinceMs = this.clock.monotonicMs() - this.stampedAtMs;
    const logged = this.lastStampMs === 0 ? now : Math.max(now, Math.floor(this.lastStampMs + sinceMs));
    return this.wallClockBelieved || logged === 0 ? Math.max(logged, this.clock.wallMs()) : logged;
  }

  private noteStamp(stampMs: number): void {
    if (stampMs <= this.lastStampMs) return;
    this.lastStampMs = stampMs;
    this.stampedAtMs = this.clock.monotonicMs();
  }

  /** Nothing was proposed: nothing happened, and the clients may try elsewhere. */
  private refuse(entry: PendingEntry): void {
    const newest = this.newest;
    if (newest !== undefined && this.pending.get(newest.index) === newest) newest.refusedBehind.push(entry);
    else this.giveRefusal(entry);
  }

  private giveRefusal(entry: PendingEntry): void {
    const refusal = this.events.refusal();
    const items = new EntryReader(entry.payload!);
    for (const target of entry.targets) {
      items.step();
      const { kind, buffer, bodyStart, bodyEnd } = items;
      if (target?.refused === undefined) target?.complete(refusal, false);
      else if (kind !== ItemKind.command) target.refused(refusal, undefined);
      else target.refused(refusal, { raw: buffer.subarray(bodyStart, bodyEnd), writes: true });
    }
    this.events.applied();
  }

  /**
   * Leadership is lost, or the node has failed: of all that this node has proposed and not seen applied,
   * the outcome is unknown.
   */
  abandon(why = replies.outcomeUnknown): void {
    for (const entry of this.pending.values()) this.abandonEntry(entry, why);
    this.pending.clear();
    this.pendingBytes = 0;
    this.events.applied();
  }

  private abandonEntry(entry: PendingEntry, why = replies.outcomeUnknown): void {
    for (let ordinal = 0; ordinal < entry.targets.length; ordinal++) {
      entry.targets[ordinal]?.outcomeUnknown(why);
    }
    for (const refused of entry.refusedBehind) this.giveRefusal(refused);
  }

  /** Resolves when all that was proposed has its outcome and nothing else is waited for, or after a while. */
  async drained(isWaiting: () => boolean): Promise<void> {
    const deadline = monotonicNow() + DRAIN_MAX_MS;
    while ((this.pending.size > 0 || isWaiting()) && monotonicNow() < deadline)
      await new Promise((resolve) => setImmediate(resolve));
  }

  /** Whether anything that was proposed, or is about to be, is not applied yet. */
  get hasUnapplied(): boolean {
    return this.pending.size > 0 || this.collecting !== undefined;
  }

  get pendingEntries(): number {
    return this.pending.size;
  }

  // ---- applying ----

  /** Applies committed entries in order. */
  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.applying = this.claim(entry);
      try {
        if (entry.kind === EntryKind.command) {
          const { payload } = entry;
          const buffer = Buffer.isBuffer(payload)
            ? payload
            : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
          // Commands of other nodes' clients are counted where they came from.
          this.engine.watch = this.applying === undefined ? undefined : this.watch;
          this.engine.apply(entry.index, buffer, this);
          for (const refused of this.applying?.refusedBehind ?? []) this.giveRefusal(refused);
        } else {
          // A term begins: whoever waited was waiting under the old leader.
          if (entry.kind === EntryKind.noop) this.engine.dropWaiters(this);
          this.engine.appliedIndex = entry.index;
        }
      } catch (error) {
        this.events.failed(entry.index, error);
        return;
      }
      this.applying = undefined;
      if (this.indexWaiters.length > 0) this.reached(entry.index);
    }
    this.noteStamp(this.engine.keyspace.now);
    this.events.applied();
  }

  /**
   * Calls back as soon as the entry at `index` is applied, before any other; with a later index if a snapshot
   * passed over it.
   */
  whenApplied(index: number, reached: (applied: number) => void): void {
    this.indexWaiters.push({ index, reached });
  }

  private reached(applied: number): void {
    const due = this.indexWaiters.filter(({ index }) => index <= applied);
    if (due.length === 0) return;
    this.indexWaiters = this.indexWaiters.filter(({ index }) => index > applied);
    for (const { reached } of due) reached(applied);
  }

  private claim(entry: Entry): PendingEntry | undefined {
    const pending = this.pending.get(entry.index);
    if (pending === undefined) return undefined;
    this.pending.delete(entry.index);
    this.pendingBytes -= pending.byteLength;
    if (pending.term === entry.term) {
      const latencyMs = this.clock.monotonicMs() - pending.proposedAtMs;
      this.commitLatencyMs += (latencyMs - this.commitLatencyMs) / 16;
      this.commitTimes?.add(latencyMs * 1000);
      return pending;
    }
    // Another leader's entry took this index: what stood here will never be applied, but its proposer cannot
    // know that for the rest.
    this.abandonEntry(pending);
    return undefined;
  }

  reply(ordinal: number, reply: Reply): void {
    this.applying?.targets[ordinal]?.complete(reply, true);
  }

  blocked(ordinal: number): void {
    this.applying?.targets[ordinal]?.complete(BLOCKED);
  }

  wake(session: Session, reply: Reply): void {
    if (session.nodeId === this.session.nodeId && session.startId === this.session.startId) {
      this.events.wake(session, reply);
    }
  }

  publish(channel: View, message: View, isSharded: boolean): number {
    return this.events.publish(channel, message, isSharded);
  }

  scriptAudience(ordinal: number): ScriptAudience | undefined {
    return this.applying?.targets[ordinal]?.scriptAudience?.();
  }

  readInTransaction(ordinal: number, row: ReadCommand, request: Request): void {
    this.applying?.targets[ordinal]?.readInTransaction?.(row, request);
  }

  runProgramCommand(ordinal: number, request: Request, database: number): Reply {
    return this.applying?.targets[ordinal]?.runInTransaction(request, database) ?? null;
  }
}

/** What ends a node, and the way out. */
export function unappliable(index: number): string {
  return `entry ${index} could not be applied (if it ends every node: redraft recover --skip-entry ${index})`;
}
