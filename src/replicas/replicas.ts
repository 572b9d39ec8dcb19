/**
 * Redis's replicas of this node, and tools that act as such: a file of the state, then the effects of every
 * entry as commands, with offsets
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/replication/; what is said on the wire was
 * read off redis-server 7.0.15). Leaders and followers serve alike, since all apply the same entries.
 */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { EffectRecorder, type Engine, type KeyTraces } from '../../engine/index.js';
import type { RaftNode, Timer } from '../../raft/node/index.js';
import type { Client } from '../client/client.js';
import type { Configuration } from '../config/configuration.js';
import { type BufferLimit, readBufferLimits } from '../config/parameter-types.js';
import type { Log } from '../observability/log.js';
import { SNAPSHOT_RESERVE_BYTES } from '../replication/disk-space.js';
import { Backlog } from './backlog.js';
import { FullSyncFile, fileFacts } from './full-sync-file.js';
import type { RdbContent } from './rdb-job.js';
import { ReplicaLink, type ReplicaTraits } from './replica-link.js';

const TICK_MS = 1000;
/** How long an end waits for replicas to take what is left. */
const CLOSE_GRACE_MS = 2000;
/** A snapshot that was begun before anybody listened tells of no offset: the next one does. */
const ATTEMPTS = 3;
const CUTS_KEPT = 8;
/** At most so far apart are the indexes of which the offset is known. */
const MARK_BYTES = 64 * 1024;
const MARKS_KEPT = 4096;
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n', 'latin1');
const GETACK = Buffer.from('*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n', 'latin1');

export interface ReplicasHost {
  readonly engine: Engine;
  readonly node: RaftNode;
  readonly configuration: Configuration;
  readonly log: Log;
  readonly options: {
    /** Where files for replicas lie while they are sent. */ readonly workDirectory?: string;
  };
  setTimer(delayMs: number, callback: () => void): Timer;
  monotonicMs(): number;
  clock(): number;
  usedMemory(): number;
}

/** What a snapshot begins with: where the stream stands. */
interface CutRecord {
  readonly offset: number;
  readonly traces: KeyTraces | undefined;
}

/** An attached replica as INFO and ROLE tell of it. */
export interface ReplicaDescription {
  readonly host: string;
  readonly port: number;
  readonly state: 'wait_bgsave' | 'send_bulk' | 'online';
  /** The log's index up to which it has everything, as far as it has said. */
  readonly index: number;
  /** Of the stream. */
  readonly offset: number;
  readonly lagSeconds: number;
}

export class Replicas {
  /** 40 hexadecimal digits: names the stream that offsets are of. */
  private streamId = randomBytes(20).toString('hex');
  private readonly links = new Set<ReplicaLink>();
  private readonly linkOf = new WeakMap<Client, ReplicaLink>();
  private readonly traitsOf = new WeakMap<Client, ReplicaTraits>();
  private backlog: Backlog | undefined;
  private recorder: EffectRecorder | undefined;
  private endListening: (() => void) | undefined;
  /** By index. */
  private readonly cuts = new Map<number, CutRecord>();
  /** Offsets behind entries, ascending. */
  private marks: { readonly index: number; readonly offset: number }[] = [];
  private readonly making = new Map<RdbContent, Promise<{ file: FullSyncFile; offset: number }>>();
  private timer: Timer | undefined;
  private lastPingMs = 0;
  /** Monotonic time at which the last replica left. */
  private leftAtMs: number | undefined;
  private isClosed = false;
  /** For what waits for a replica, as of the last tick. */
  private limit: BufferLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 };

  constructor(private readonly host: ReplicasHost) {}

  // ---- what clients say ----

  /** REPLCONF before a sync. */
  traits(client: Client): ReplicaTraits {
    const known = this.traitsOf.get(client);
    if (known !== undefined) return known;
    const traits: ReplicaTraits = {
      listeningPort: 0,
      announcedHost: '',
      isFileOnly: false,
      content: 'all',
    };
    this.traitsOf.set(client, traits);
    return traits;
  }

  /** REPLCONF ACK: how far it has come. */
  acknowledged(client: Client, offset: number): void {
    const link = this.linkOf.get(client);
    if (link === undefined || this.backlog === undefined) return;
    link.heardAtMs = this.host.monotonicMs();
    link.acknowledgedOffset = Math.max(link.acknowledgedOffset, Math.min(offset, this.backlog.end));
  }

  /**
   * PSYNC or SYNC: from now on the connection is a replica's.
   *
   * @param from the stream and the first byte that it lacks; undefined: it has nothing
   */
  attach(
    client: Client,
    from: { readonly id: string; readonly offset: number } | undefined,
    isOld: boolean,
  ): void {
    if (this.linkOf.has(client) || this.isClosed) return;
    const { socket } = client;
    // What it was answered before leaves before.
    client.writer.flushTo(socket);
    client.replyMode = 'off';
    client.isReplica = true;
    const backlog = this.begin();
    const traits = this.traits(client);
    const link = new ReplicaLink(socket, traits, isOld, this.host.monotonicMs(), (gone) => this.gone(gone));
    this.links.add(link);
    this.linkOf.set(client, link);
    this.leftAtMs = undefined;
    const canGoOn =
      from !== undefined &&
      from.id === this.streamId &&
      from.offset - 1 >= backlog.start &&
      from.offset - 1 <= backlog.end;
    if (canGoOn) {
      socket.write(`+CONTINUE ${this.streamId}\r\n`);
      link.goOnline(from.offset - 1);
      link.pump(backlog);
      this.host.log.notice(`replica ${client.address} goes on at offset ${from.offset - 1}`, {
        event: 'replica-resumed',
        client: client.address,
      });
    } else {
      void this.fullSync(client, link);
    }
  }

  private async fullSync(client: Client, link: ReplicaLink): Promise<void> {
    const { log } = this.host;
    const stream = this.streamId;
    try {
      if (!link.isOld) link.keepAlive();
      const { file, offset } = await this.file(link.traits.content);
      const leave = file.use();
      if (link.isGone || stream !== this.streamId) {
        leave();
        client.cutOff();
        return;
      }
      if (!link.isOld) link.socket.write(`+FULLRESYNC ${stream} ${offset}\r\n`);
      const sent = link.sendFile(file, offset);
      leave();
      await sent;
      if (link.isGone || this.backlog === undefined) return;
      link.pump(this.backlog);
      log.notice(
        `replica ${client.address} has ${file.keys} keys in ${file.length} bytes, at offset ${offset}`,
        { event: 'replica-synced', client: client.address, keys: file.keys, bytes: file.length },
      );
    } catch (error) {
      log.warning(`replica ${client.address} got no file: ${(error as Error).message}`, {
        event: 'replica-refused',
        client: client.address,
        reason: (error as Error).message,
      });
      client.cutOff();
    }
  }

  /** A file of the state that is being made, or a new one. */
  private file(content: RdbContent): Promise<{ file: FullSyncFile; offset: number }> {
    let making = this.making.get(content);
    if (making === undefined) {
      making = this.makeFile(content).finally(() => this.making.delete(content));
      this.making.set(content, making);
      // Held until all that wait for it have taken it: who comes first may be gone.
      making.then(
        ({ file }) => void this.host.setTimer(0, file.use()),
        () => {},
      );
    }
    return making;
  }

  private async makeFile(content: RdbContent): Promise<{ file: FullSyncFile; offset: number }> {
    const { node, options } = this.host;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { index } = await node.takeSnapshot();
      const snapshot = await node.snapshotter.read(index);
      try {
        const cut = this.cuts.get(snapshot.metadata.index);
        // One that was begun before this, of which the stream is not kept any more.
        if (cut === undefined || cut.offset < (this.backlog?.start ?? 0)) continue;
        const { offset, traces } = cut;
        const file = await FullSyncFile.make({
          snapshot,
          directory: options.workDirectory ?? tmpdir(),
          reserveBytes: SNAPSHOT_RESERVE_BYTES,
          facts: this.facts(offset),
          content,
          traces,
        });
        return { file, offset };
      } finally {
        await snapshot.close();
      }
    }
    throw new Error('no snapshot could be taken');
  }

  private facts(offset: number): ReturnType<typeof fileFacts> {
    return fileFacts(this.host, [
      ['repl-stream-db', '0'],
      ['repl-id', this.streamId],
      ['repl-offset', `${offset}`],
    ]);
  }

  // ---- the stream ----

  /** From now on effects are recorded. */
  private begin(): Backlog {
    if (this.backlog !== undefined) return this.backlog;
    const backlog = new Backlog(0);
    this.backlog = backlog;
    this.marks = [];
    this.listen(this.host.engine);
    this.readLimit();
    this.lastPingMs = this.host.monotonicMs();
    this.arm();
    return backlog;
  }

  private listen(engine: Engine): void {
    const recorder = new EffectRecorder(engine.keyspace, {
      write: (bytes) => this.backlog?.append(bytes),
      failed: (error) => {
        this.host.log.warning(
          `replicas begin anew, as one effect cannot be told: ${(error as Error).message}`,
          { event: 'replicas-begin-anew', reason: (error as Error).message },
        );
        this.beginAnew();
      },
    });
    const endListening = engine.keyspace.listen(recorder);
    engine.effects = recorder;
    this.recorder = recorder;
    this.endListening = () => {
      endListening();
      engine.effects = undefined;
    };
  }

  /** A snapshot of the state begins now. Returns who looks at each key as it is written. */
  cutBegan(engine: Engine, index: number): ((database: number, slot: number) => void) | undefined {
    if (this.backlog === undefined) return undefined;
    // Who reads that file knows of no database.
    this.recorder?.forgetDatabase();
    const policy = this.host.configuration.text('maxmemory-policy');
    const kind = policy.endsWith('lru') ? 'idle' : policy.endsWith('lfu') ? 'frequency' : undefined;
    const byDatabase = new Map<number, Uint32Array>();
    if (kind !== undefined)
      for (const { id, size } of engine.keyspace.used()) byDatabase.set(id, new Uint32Array(size));
    const traces: KeyTraces | undefined = kind === undefined ? undefined : { kind, byDatabase };
    this.cuts.set(index, { offset: this.backlog.end, traces });
    for (const old of [...this.cuts.keys()].slice(0, -CUTS_KEPT)) this.cuts.delete(old);
    if (kind === undefined) return undefined;
    return (id, slot) => {
      const database = engine.keyspace.database(id);
      const value = kind === 'idle' ? database.idleSeconds(slot) : database.accessFrequency(slot);
      byDatabase.get(id)![slot] = value;
    };
  }

  /** Entries were applied. */
  applied(): void {
    const { backlog } = this;
    if (backlog === undefined) return;
    const last = this.marks.at(-1);
    if (backlog.end - (last?.offset ?? 0) >= MARK_BYTES) {
      this.marks.push({ index: this.host.engine.appliedIndex, offset: backlog.end });
      if (this.marks.length > MARKS_KEPT) this.marks.splice(0, MARKS_KEPT / 2);
    }
    for (const link of this.links) link.pump(backlog);
    this.trim(backlog);
    // Not at the next tick: a burst would take memory without a bound meanwhile.
    if (this.limit.hardBytes > 0 && backlog.keptBytes > this.limit.hardBytes)
      this.closeSlow(backlog, this.host.monotonicMs());
  }

  private trim(backlog: Backlog): void {
    let needed = backlog.end;
    for (const link of this.links) needed = Math.min(needed, this.neededFrom(link, backlog));
    backlog.trim(this.host.configuration.integer('repl-backlog-size'), needed);
  }

  /** Of the stream, what a replica has yet to be handed begins there. */
  private neededFrom({ state, sentOffset }: ReplicaLink, backlog: Backlog): number {
    if (state !== 'wait_bgsave') return sentOffset;
    // Its file is that of one of these.
    let oldest = backlog.end;
    if (this.making.size > 0) for (const { offset } of this.cuts.values()) oldest = Math.min(oldest, offset);
    return Math.max(oldest, backlog.start);
  }

  /** The engine is another one: what was skipped nobody can tell. */
  adopted(): void {
    if (this.backlog !== undefined) this.beginAnew();
  }

  /** All replicas have to take a whole file again. */
  private beginAnew(): void {
    this.end();
    for (const link of this.links) link.socket.destroy();
  }

  /** The stream ends; another one will have another name. */
  private end(): void {
    this.endListening?.();
    this.endListening = this.recorder = this.backlog = undefined;
    this.timer?.cancel();
    this.timer = undefined;
    this.cuts.clear();
    this.streamId = randomBytes(20).toString('hex');
  }

  // ---- time ----

  private arm(): void {
    this.timer = this.host.setTimer(TICK_MS, () => {
      this.arm();
      this.tick();
    });
  }

  private tick(): void {
    const { backlog } = this;
    if (backlog === undefined) return;
    const { configuration } = this.host;
    const nowMs = this.host.monotonicMs();
    this.readLimit();
    for (const link of this.links) link.keepAlive();
    this.closeSlow(backlog, nowMs);
    if (nowMs - this.lastPingMs >= configuration.integer('repl-ping-replica-period') * 1000) {
      this.lastPingMs = nowMs;
      if (this.links.size > 0) backlog.append(PING);
      for (const link of this.links) link.pump(backlog);
    }
    const ttlMs = configuration.integer('repl-backlog-ttl') * 1000;
    if (this.leftAtMs !== undefined && ttlMs > 0 && nowMs - this.leftAtMs > ttlMs) this.end();
  }

  private readLimit(): void {
    this.limit = readBufferLimits(this.host.configuration.text('client-output-buffer-limit')).slave;
  }

  /** Closes replicas for which too much waits, or that are silent. */
  private closeSlow(backlog: Backlog, nowMs: number): void {
    const { configuration, log } = this.host;
    const timeoutMs = configuration.integer('repl-timeout') * 1000;
    for (const link of this.links) {
      const lag = link.socket.writableLength + backlog.end - this.neededFrom(link, backlog);
      const why = isTooFar(link, lag, this.limit, nowMs)
        ? `${lag} bytes wait for it (client-output-buffer-limit replica)`
        : link.state === 'online' && !link.isOld && nowMs - link.heardAtMs > timeoutMs
          ? `silent for ${timeoutMs / 1000} s`
          : isStuck(link, timeoutMs, nowMs)
            ? `it has taken nothing of its file for ${timeoutMs / 1000} s`
            : undefined;
      if (why === undefined) continue;
      log.warning(`replica ${nameOf(link)} closed: ${why}`, {
        event: 'replica-closed',
        client: nameOf(link),
        reason: why,
      });
      link.socket.destroy();
    }
  }

  private gone(link: ReplicaLink): void {
    this.links.delete(link);
    if (this.links.size === 0) this.leftAtMs = this.host.monotonicMs();
    if (this.backlog !== undefined) this.trim(this.backlog);
  }

  /** The node ends: replicas that keep up are asked to say so, and are given a moment. */
  async close(graceMs = CLOSE_GRACE_MS): Promise<void> {
    this.isClosed = true;
    const { backlog } = this;
    if (backlog === undefined) return;
    const online = (): ReplicaLink[] =>
      [...this.links].filter(({ state, isOld }) => state === 'online' && !isOld);
    if (online().length > 0) {
      const goal = backlog.end;
      backlog.append(GETACK);
      for (const link of this.links) link.pump(backlog);
      const until = this.host.monotonicMs() + graceMs;
      while (
        online().some(({ acknowledgedOffset }) => acknowledgedOffset < goal) &&
        this.host.monotonicMs() < until
      )
        await new Promise<void>((resolve) => this.host.setTimer(10, resolve));
    }
    this.end();
  }

  // ---- what is told of it ----

  /** The stream that replicas follow; undefined while nobody does. */
  get stream(): { readonly id: string; readonly offset: number; readonly firstOffset: number } | undefined {
    const { backlog, streamId } = this;
    return backlog && { id: streamId, offset: backlog.end, firstOffset: backlog.start };
  }

  get bufferedBytes(): number {
    return this.backlog?.keptBytes ?? 0;
  }

  describe(): ReplicaDescription[] {
    const nowMs = this.host.monotonicMs();
    return [...this.links]
      .filter(({ traits }) => !traits.isFileOnly)
      .map((link) => ({
        host: link.traits.announcedHost || (link.socket.remoteAddress ?? ''),
        port: link.traits.listeningPort,
        state: link.state,
        index: this.indexAt(link.acknowledgedOffset),
        offset: link.acknowledgedOffset,
        lagSeconds: Math.max(0, Math.floor((nowMs - link.heardAtMs) / 1000)),
      }));
  }

  /** The last entry all of whose effects stand before an offset, as far as is known. */
  private indexAt(offset: number): number {
    if (this.backlog !== undefined && offset >= this.backlog.end) return this.host.engine.appliedIndex;
    return this.marks.findLast((mark) => mark.offset <= offset)?.index ?? 0;
  }
}

/** Whether its file lies there for nothing: it takes as much of the disk as the data. */
function isStuck(link: ReplicaLink, timeoutMs: number, nowMs: number): boolean {
  const { state, piecesTaken, seen } = link;
  if (state === 'send_bulk' && piecesTaken === seen.pieces && seen.sinceMs !== 0)
    return nowMs - seen.sinceMs > timeoutMs;
  link.seen = { pieces: piecesTaken, sinceMs: state === 'send_bulk' ? nowMs : 0 };
  return false;
}

const nameOf = ({ socket }: ReplicaLink): string => `${socket.remoteAddress}:${socket.remotePort}`;

function isTooFar(link: ReplicaLink, lag: number, limit: BufferLimit, nowMs: number): boolean {
  const { hardBytes, softBytes, softSeconds } = limit;
  if (hardBytes > 0 && lag > hardBytes) return true;
  if (softBytes === 0 || lag <= softBytes) {
    link.beyondSinceMs = undefined;
    return false;
  }
  link.beyondSinceMs ??= nowMs;
  return nowMs - link.beyondSinceMs >= softSeconds * 1000;
}
