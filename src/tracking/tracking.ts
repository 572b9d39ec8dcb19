/**
 * Client-side caching (https://redis.io/docs/latest/develop/reference/client-side-caching/): clients are told
 * of changes to keys that they have read here, or that have a prefix which they follow. Each node tells its
 * own clients, from what it applies: of a read that it has answered, every later change is told, behind that
 * reply.
 */
import type { Keyspace, View } from '../../engine/index.js';
import type { OutOfBand } from '../pubsub/message.js';
import { Broadcast } from './broadcast.js';
import { ClientTracking, type TrackingOptions } from './client-tracking.js';
import { Invalidation, RedirectBroken } from './invalidation.js';
import { KeyTable } from './key-table.js';
import { type PendingRead, PendingReads } from './pending-reads.js';

/** What a client's prefix takes beside its name. */
const PREFIX_BYTES = 256;

/** What tracking needs of a client. */
export interface TrackedClient {
  readonly id: number;
  readonly protocol: 2 | 3;
  readonly isSubscriber: boolean;
  tracking: ClientTracking | undefined;
  deliver(message: OutOfBand): void;
}

/** What it needs of the node. */
export interface TrackingPorts<Client extends TrackedClient> {
  client(id: number): Client | undefined;
  /** The client of this node whose command is being applied; 0 if it is none of these. */
  actor(): number;
  /** `tracking-table-max-keys`; 0: no limit. */
  keysMax(): number;
  /** What clients make the node keep. */
  readonly memory: { bytes: number };
  /** Calls back once the turn's work is done. */
  afterInput(step: () => void): void;
}

export class Tracking<Client extends TrackedClient> {
  private readonly clients = new Set<Client>();
  private readonly table = new KeyTable();
  private readonly broadcast = new Broadcast<Client>();
  private readonly pendingReads = new PendingReads();
  /** For clients that changed the key themselves: their reply comes first. */
  private deferred: { readonly client: Client; readonly message: Invalidation }[] = [];
  private keyspace: Keyspace | undefined;
  private stopListening: (() => void) | undefined;
  private isLimiting = false;
  /** The item that last emptied a database. */
  private flushedAt: number | undefined;
  private accountedBytes = 0;

  constructor(private readonly ports: TrackingPorts<Client>) {}

  // ---- who tracks ----

  /** Clients that track. */
  get size(): number {
    return this.clients.size;
  }

  get keys(): number {
    return this.table.size;
  }

  get items(): number {
    return this.table.items;
  }

  get prefixes(): number {
    return this.broadcast.size;
  }

  /** CLIENT TRACKING ON: whose options were checked. */
  enable(client: Client, options: TrackingOptions, prefixes: readonly string[]): void {
    const { tracking } = client;
    if (tracking === undefined) {
      client.tracking = new ClientTracking(options);
    } else {
      tracking.options = options;
      tracking.isRedirectBroken = false;
    }
    if (options.broadcast) {
      for (const prefix of prefixes.length === 0 ? [''] : prefixes) {
        const own = client.tracking!;
        if (own.prefixes.has(prefix)) continue;
        own.prefixes.add(prefix);
        own.prefixBytes += prefix.length + PREFIX_BYTES;
        this.broadcast.add(prefix, client);
      }
    }
    this.clients.add(client);
    this.listen();
  }

  /** CLIENT TRACKING OFF, or the client is gone. */
  disable(client: Client): void {
    const { tracking } = client;
    if (tracking === undefined) return;
    for (const prefix of tracking.prefixes) this.broadcast.delete(prefix, client);
    client.tracking = undefined;
    this.clients.delete(client);
    if (this.clients.size === 0) this.table.clear();
    this.account();
    this.listen();
  }

  /** Goes on with another keyspace. */
  follow(keyspace: Keyspace): void {
    if (this.keyspace === keyspace) return;
    this.stopListening?.();
    this.stopListening = undefined;
    this.keyspace = keyspace;
    this.listen();
  }

  /** The keyspace may have changed in ways that nobody told. */
  hasMissed(): void {
    this.flushedAt = undefined;
    this.allChanged();
  }

  /** Nobody tracking costs nothing. */
  private listen(): void {
    if (this.clients.size === 0) {
      this.stopListening?.();
      this.stopListening = undefined;
      return;
    }
    this.stopListening ??= this.keyspace?.listen({
      changed: (_database, key) => this.changed(key),
      flushed: () => this.allChanged(),
      // Redis tells nothing then, and clients keep what is wrong.
      swapped: () => this.allChanged(),
    });
  }

  // ---- what was read ----

  /** A client is being given what keys hold now. */
  remember(client: Client, keys: readonly string[]): void {
    for (const key of keys) this.table.add(key, client.id);
    const max = this.ports.keysMax();
    if (max > 0 && this.table.size > max && !this.isLimiting) {
      this.isLimiting = true;
      // Not now: the reply must be given first.
      this.ports.afterInput(() => this.limit());
    }
    this.account();
  }

  /**
   * A client is to be given what keys will hold at a time that this node does not know: {@link endRead} is to
   * be called.
   */
  beginRead(client: Client, keys: readonly string[]): PendingRead | undefined {
    return keys.length === 0 ? undefined : this.pendingReads.begin(client.id, keys);
  }

  /** The reply was given, or will never be. */
  endRead(client: Client, read: PendingRead | undefined, isGiven: boolean): void {
    if (read === undefined) return;
    this.pendingReads.end(read);
    if (!isGiven || client.tracking === undefined) return;
    if (!client.tracking.options.broadcast) this.remember(client, read.keys(false));
    const changed = read.keys(true);
    if (changed.length > 0) this.send(client, new Invalidation(changed));
  }

  /** Forgets keys for which there is no room: their readers are told, as if they had changed. */
  private limit(): void {
    this.isLimiting = false;
    const max = this.ports.keysMax();
    while (max > 0 && this.table.size > max) {
      const key = this.table.victim();
      if (key === undefined) break;
      this.invalidate(key, 0);
    }
    this.account();
    this.tell();
  }

  // ---- what has changed ----

  private changed(key: View): void {
    const text = key.latin1();
    const actor = this.ports.actor();
    if (this.broadcast.size > 0) this.broadcast.note(text, actor);
    if (!this.pendingReads.isEmpty) this.pendingReads.changed(text);
    this.invalidate(text, actor);
  }

  private invalidate(key: string, actor: number): void {
    const readers = this.table.take(key);
    if (readers === undefined) return;
    const message = new Invalidation([key]);
    for (const id of readers) {
      const client = this.ports.client(id);
      const options = client?.tracking?.options;
      if (client === undefined || options === undefined || options.broadcast) continue;
      if (id !== actor) this.send(client, message);
      else if (!options.noLoop) this.deferred.push({ client, message });
    }
  }

  /** Every key may have changed. */
  private allChanged(): void {
    this.table.clear();
    this.broadcast.clear();
    this.pendingReads.allChanged();
    // FLUSHALL empties one database after the other.
    const position = this.keyspace?.position;
    if (this.flushedAt === position && position !== undefined) return;
    this.flushedAt = position;
    const message = new Invalidation(undefined);
    const actor = this.ports.actor();
    for (const client of this.clients) {
      if (client.id === actor) this.deferred.push({ client, message });
      else this.send(client, message);
    }
  }

  /** An entry was applied, and its replies given. */
  applied(): void {
    if (this.clients.size === 0) return;
    this.account();
    this.tell();
  }

  private tell(): void {
    const { deferred } = this;
    if (deferred.length > 0) {
      this.deferred = [];
      for (const { client, message } of deferred) this.send(client, message);
    }
    let all: { readonly of: ReadonlyMap<string, number>; readonly message: Invalidation } | undefined;
    this.broadcast.take((client, changed) => {
      if (client.tracking?.options.noLoop === true) {
        const others = [...changed].filter(([, actor]) => actor !== client.id).map(([key]) => key);
        if (others.length > 0) this.send(client, new Invalidation(others));
        return;
      }
      if (all?.of !== changed) all = { of: changed, message: new Invalidation([...changed.keys()]) };
      this.send(client, all.message);
    });
  }

  private send(client: Client, message: Invalidation): void {
    const { tracking } = client;
    if (tracking === undefined) return;
    const { redirect } = tracking.options;
    if (redirect === 0) {
      if (client.protocol === 3) client.deliver(message);
      return;
    }
    const target = this.ports.client(redirect);
    if (target === undefined) {
      tracking.isRedirectBroken = true;
      if (client.protocol === 3) client.deliver(new RedirectBroken(redirect));
    } else if (target.protocol === 3 || target.isSubscriber) {
      target.deliver(message);
    }
  }

  private account(): void {
    this.ports.memory.bytes += this.table.bytes - this.accountedBytes;
    this.accountedBytes = this.table.bytes;
  }
}
