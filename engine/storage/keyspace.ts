/**
 * All databases of one engine and what belongs to them together: logged time, positions of writes, settings,
 * memory on its way out.
 */

import { Behaviour } from '../behaviour.js';
import type { View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import { Database, type DatabaseOwner, type Discarded } from './database.js';
import type { HashSeed } from './dictionary.js';
import type { Encoding, TypeTable } from './encoding.js';
import { Frequency } from './frequency.js';
import { stableHash } from './hash.js';
import type { KeyEvent, KeyspaceListener } from './key-events.js';
import { Slab } from './slab.js';
import type { Statistics } from './statistics.js';

/**
 * Buckets of {@link Keyspace.lastWrite}. Two keys of one bucket share a mark: a rare false abort of EXEC,
 * never a missed change.
 */
const MARK_BUCKETS = 1 << 16;

/** Told, while clients wait, where that which they wait for may have come into being. */
export interface CreationListener {
  /** A key of a type that clients can wait for. */
  created(database: Database, key: View, type: string): void;
  /** SWAPDB, FLUSHDB: a database has other keys than before. */
  replaced(database: Database): void;
}

export class Keyspace implements DatabaseOwner {
  readonly slab = new Slab();
  /** Which level is in force: part of the state. */
  readonly behaviour: Behaviour;
  /** By number; made when first used. */
  readonly databases: (Database | undefined)[] = [];
  /** Logged time: milliseconds since the epoch, from the stamp of the last entry. */
  now = 0;
  /** Whether an entry is being applied. */
  writing = false;
  /** Counts the items applied since the log began: the position that WATCH compares. */
  position = 0;
  /** The node's own clock in seconds, for access times; never part of the state. */
  clockSeconds = 0;
  readonly statistics: Statistics = {
    keyspaceHits: 0,
    keyspaceMisses: 0,
    expiredKeys: 0,
    evictedKeys: 0,
    changesSinceSnapshot: 0,
  };
  /**
   * Whether access words count uses (an LFU maxmemory policy) instead of holding times: this node's own
   * affair.
   */
  countsFrequency = false;
  readonly frequency = new Frequency();
  /**
   * Grows with everything that a command does to the state, before it is done: whether a command that failed
   * has changed anything. It compares with itself alone, within one command.
   */
  mutations = 0;
  /** Set by the engine while a read runs that leaves access times alone. */
  untouched = false;
  /** Told of settings that an entry changed. */
  onConfigured: (() => void) | undefined;
  /** Set while clients wait for keys. */
  creationListener: CreationListener | undefined;
  /** Position of the last write to any key of a bucket; part of the state. */
  readonly marks = new Float64Array(MARK_BUCKETS);
  /** Whether the command at hand looks keys up to read them: then hits and misses count. */
  looksToRead = true;
  /** Whether anybody listens to what happens to keys. */
  isHeard = false;
  private listeners: readonly KeyspaceListener[] = [];
  private readonly graveyard: (Discarded | Database)[] = [];

  constructor(
    readonly settings: Settings,
    readonly hashSeed: HashSeed,
    readonly types: TypeTable,
    /** The highest behaviour level that this node knows. */
    behaviourLevel?: number,
  ) {
    this.behaviour = new Behaviour(behaviourLevel);
  }

  database(id: number): Database {
    this.databases[id] ??= new Database(this, id);
    return this.databases[id];
  }

  /** How many keys a database has, which stays unused if it is. */
  sizeOf(id: number): number {
    return this.databases[id]?.size ?? 0;
  }

  /** Every database that was ever used, with its keys or without. */
  *used(): Generator<Database> {
    for (const database of this.databases) if (database !== undefined) yield database;
  }

  changed(database: Database, key: View, event: KeyEvent | undefined): void {
    this.mutations++;
    this.marks[this.bucket(database.id, key)] = this.position;
    this.statistics.changesSinceSnapshot++;
    if (!this.isHeard) return;
    for (const listener of this.listeners) listener.changed?.(database.id, key);
    if (event !== undefined) this.happened(database, key, event);
  }

  happened(database: Database, key: View, event: KeyEvent): void {
    for (const listener of this.listeners) listener.happened?.(database.id, key, event);
  }

  /**
   * Tells the listener of what happens from now on, behind those that came before it. Returns what ends that.
   */
  listen(listener: KeyspaceListener): () => void {
    this.listeners = [...this.listeners, listener];
    this.isHeard = true;
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
      this.isHeard = this.listeners.length > 0;
    };
  }

  /** A command empties a database, which may have had no keys. */
  emptied(databaseId: number): void {
    for (const listener of this.listeners) listener.flushed?.(databaseId);
  }

  /** Position of the last write that may have touched `key`, present or not. */
  lastWrite(databaseId: number, key: View): number {
    return this.marks[this.bucket(databaseId, key)];
  }

  /**
   * Whether EXEC must refuse because of a watched key (Redis 7.0: modified, expired, flushed or swapped since
   * WATCH).
   */
  changedSince(databaseId: number, key: View, position: number, existed: boolean): boolean {
    if (this.lastWrite(databaseId, key) > position) return true;
    const database = this.database(databaseId);
    if (existed && database.flushedAt > position) return true;
    return existed !== database.has(key);
  }

  created(database: Database, key: View, encoding: Encoding): void {
    if (this.creationListener === undefined) return;
    const type = this.types.of(encoding);
    if (type.awaited !== undefined) this.creationListener.created(database, key, type.name);
  }

  ended(database: Database, key: View, encoding: Encoding): void {
    const type = this.types.of(encoding);
    if (type.awaited === 'shared') this.creationListener?.created(database, key, type.name);
  }

  /** Empties one database in O(1). Returns how many keys it held. */
  flush(id: number): number {
    const old = this.databases[id];
    // A database without keys may exist on one node only, where somebody looked: nothing may follow from it.
    if (old === undefined || old.size === 0) return 0;
    this.mutations++;
    this.databases[id] = old.clear();
    this.discard(old);
    this.creationListener?.replaced(this.databases[id]);
    return old.size;
  }

  swap(first: number, second: number): void {
    const a = this.database(first);
    const b = this.database(second);
    this.mutations++;
    this.databases[first] = b;
    this.databases[second] = a;
    b.id = first;
    a.id = second;
    a.flushedAt = this.position;
    b.flushedAt = this.position;
    this.creationListener?.replaced(b);
    this.creationListener?.replaced(a);
    for (const listener of this.listeners) listener.swapped?.(first, second);
  }

  /** Takes over something that no key holds any more, to be freed by {@link freeDiscarded}. */
  discard(value: Discarded | Database): void {
    this.graveyard.push(value);
  }

  /** Whether there is anything that may be freed now: what a snapshot still walks has to wait. */
  get hasDiscarded(): boolean {
    return this.graveyard.some((discarded) => !discarded.isWalked);
  }

  /**
   * Frees some `limit` elements of what was discarded. Memory is no part of the state: each node does this
   * when it has time.
   */
  freeDiscarded(limit: number): void {
    const value = this.graveyard.findLast((discarded) => !discarded.isWalked);
    if (value === undefined) return;
    // Whatever a database's keys held joins the graveyard, hence the removal of exactly this one.
    const gone = value instanceof Database ? value.disposeKeys(limit) : value.dispose(limit);
    if (gone) this.graveyard.splice(this.graveyard.indexOf(value), 1);
  }

  /** The earliest deadline of any key, or undefined. */
  get nextDeadline(): number | undefined {
    let earliest: number | undefined;
    for (const database of this.databases) {
      if (database === undefined || database.deadlines.size === 0) continue;
      const deadline = database.deadlines.earliest;
      if (earliest === undefined || deadline < earliest) earliest = deadline;
    }
    return earliest;
  }

  /**
   * Deletes at most `limit` keys whose deadline has passed: the earliest first, then the lower database, then
   * the lower slot.
   */
  expireDue(limit: number): number {
    let expired = 0;
    for (; expired < limit; expired++) {
      let first: Database | undefined;
      for (const database of this.databases) {
        if (database === undefined || database.deadlines.size === 0) continue;
        if (database.deadlines.earliest > this.now) continue;
        if (first === undefined || database.deadlines.earliest < first.deadlines.earliest) first = database;
      }
      if (first === undefined) break;
      first.expire(first.deadlines.earliestSlot);
    }
    return expired;
  }

  accessClock(previous: number): number {
    return this.countsFrequency ? this.frequency.touched(previous, this.clockSeconds) : this.clockSeconds;
  }

  freshAccessClock(): number {
    return this.countsFrequency ? this.frequency.fresh(this.clockSeconds) : this.clockSeconds;
  }

  frequencyOf(accessWord: number): number {
    return this.frequency.decayed(accessWord, this.clockSeconds);
  }

  private bucket(databaseId: number, key: View): number {
    const hash = stableHash(key.buffer, key.start, key.end) ^ Math.imul(databaseId, 0x9e3779b1);
    return (hash ^ (hash >>> 16)) & (MARK_BUCKETS - 1);
  }
}
