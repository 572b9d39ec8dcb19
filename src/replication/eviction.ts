/**
 * Memory limits. Admission is the leader's, before it proposes: what a write would need beyond maxmemory is
 * either made room for, by proposing the deletion of chosen keys ahead of the write, or refused. Apply never
 * refuses and never chooses.
 *
 * Victims are chosen as Redis does (https://redis.io/docs/latest/develop/reference/eviction/): a few random
 * keys are looked at, and the best of those seen lately goes. Access times and counters are this node's own.
 */

import { totalmem } from 'node:os';
import { constrainedMemory } from 'node:process';
import { getHeapStatistics } from 'node:v8';
import { type Engine, View } from '../../engine/index.js';
import { setImmediate } from '../../raft/node/timers.js';
import type { Configuration } from '../config/configuration.js';
import { encodeRequest } from '../resp/encode-request.js';
import type { Replica } from './replica.js';

/**
 * What one entry evicts at most, a bound on how long it takes to apply: so many, and a few for each of its
 * writes.
 */
const EVICTED_PER_ENTRY = 200;
const EVICTED_PER_WRITE = 4;
/** Good victims that are remembered from one choice to the next. */
const POOL_SIZE = 16;
/**
 * Of this machine's memory, what keys and values may take when no limit is given: the rest is for V8's own
 * heap, the log and replies.
 */
const DEFAULT_SHARE = 0.7;
/** From this share of V8's heap limit on nothing more is taken in: a heap that is full ends the process. */
const HEAP_SHARE = 0.92;
/** Elements of discarded values that are freed at once when memory is short. */
const FREED_WHEN_FULL = 20_000;

type Database = ReturnType<Engine['keyspace']['database']>;

interface Candidate {
  readonly database: number;
  readonly key: string;
  /** The higher, the sooner it goes. */
  readonly score: number;
}

/** Bytes that this machine, or the container around this process, has. */
function machineMemory(): number {
  const constrained = constrainedMemory?.() ?? 0;
  const total = totalmem();
  return constrained > 0 && constrained < total ? constrained : total;
}

export class Eviction {
  /** `maxmemory`, or what stands for it when that is 0. */
  limitBytes = 0;
  private policy = 'noeviction';
  private samples = 5;
  private readonly pool: Candidate[] = [];
  /** Keys whose eviction is proposed and not yet applied, by database and key, with what they take. */
  private readonly leaving = new Map<string, number>();
  private leavingBytes = 0;
  private heapIsFull = false;

  constructor(
    private readonly replica: Replica,
    private readonly isLeader: () => boolean,
    /** Bytes that clients take. */
    private readonly clientBytes: () => number,
    /** 32 random bits. */
    private readonly randomBits: () => number,
  ) {}

  /** Takes over what the configuration says, also for another engine. */
  configure(configuration: Configuration): void {
    const maximum = configuration.integer('maxmemory');
    this.limitBytes = maximum > 0 ? maximum : Math.floor(machineMemory() * DEFAULT_SHARE);
    const policy = configuration.text('maxmemory-policy');
    if (policy !== this.policy) this.pool.length = 0;
    this.policy = policy;
    this.samples = configuration.integer('maxmemory-samples');
    const { keyspace } = this.replica.engine;
    keyspace.countsFrequency = policy.endsWith('-lfu');
    keyspace.frequency.logFactor = configuration.integer('lfu-log-factor');
    keyspace.frequency.decayMinutes = configuration.integer('lfu-decay-time');
  }

  /** Bytes that keys and values take, with their indexes and what an engine needs without any. */
  get usedBytes(): number {
    const { slab, marks } = this.replica.engine.keyspace;
    return slab.usedBytes + slab.trackedBytes + marks.byteLength;
  }

  /** Beyond the limit once everything proposed is applied, or by what the heap holds. */
  private get excessBytes(): number {
    const proposed = this.replica.proposedBytes + this.clientBytes();
    return this.usedBytes - this.leavingBytes + proposed - this.limitBytes;
  }

  /** Whether the limit is not reached, whatever could be evicted. */
  get hasRoom(): boolean {
    return !this.heapIsFull && this.excessBytes <= 0;
  }

  /** Whether a write that needs memory may be proposed now; makes room first where the policy allows. */
  admits(): boolean {
    if (this.heapIsFull) return false;
    if (this.excessBytes <= 0) return true;
    // What is dead already goes before anything that lives.
    const { keyspace } = this.replica.engine;
    if (keyspace.hasDiscarded) {
      keyspace.freeDiscarded(FREED_WHEN_FULL);
      if (this.excessBytes <= 0) return true;
    }
    return this.policy !== 'noeviction' && this.evict();
  }

  /** Evicts what is too much already, as when the limit was lowered. */
  private relieve(): void {
    if (this.isLeader() && this.excessBytes > 0 && this.policy !== 'noeviction') this.evict();
  }

  /** Ten times a second: looks at V8's heap, and evicts when a limit was lowered. */
  tick(): void {
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    this.heapIsFull = used > limit * HEAP_SHARE;
    this.relieve();
  }

  /**
   * Proposes deletions until what is proposed fits, or as many as one entry takes. Whether it found any or
   * needed none.
   */
  private evict(): boolean {
    const chosen = new Map<number, string[]>();
    const { itemsInTurn, evictionsInTurn } = this.replica;
    let left = EVICTED_PER_ENTRY + EVICTED_PER_WRITE * itemsInTurn - evictionsInTurn;
    for (; left > 0 && this.excessBytes > 0; left--) {
      const victim = this.policy.endsWith('-random') ? this.randomKey() : this.bestCandidate();
      if (victim === undefined) break;
      const name = `${victim.database}:${victim.key}`;
      const size = this.bytesOf(victim);
      this.leaving.set(name, size);
      this.leavingBytes += size;
      const keys = chosen.get(victim.database);
      if (keys === undefined) chosen.set(victim.database, [victim.key]);
      else keys.push(victim.key);
    }
    // What is proposed may be more than fits while nothing of it is there yet to be evicted: then the next
    // entry makes up for it.
    if (chosen.size === 0)
      return this.leaving.size > 0 || this.usedBytes - this.leavingBytes <= this.limitBytes;
    for (const [database, keys] of chosen) {
      const request = encodeRequest(keys);
      this.replica.evictionsInTurn += keys.length;
      const gone = (): void => {
        for (const key of keys) this.left(`${database}:${key}`);
        // More than one entry may evict: the next one follows at once.
        if (this.leaving.size === 0 && this.excessBytes > 0) setImmediate(() => this.relieve());
      };
      this.replica.item(
        { complete: gone, outcomeUnknown: gone, runInTransaction: () => null },
        request.length,
        (builder) => builder.evict(this.replica.session, database, request),
      );
    }
    return true;
  }

  private left(name: string): void {
    this.leavingBytes -= this.leaving.get(name) ?? 0;
    this.leaving.delete(name);
  }

  private bytesOf({ database, key }: Candidate): number {
    const found = this.replica.engine.keyspace.database(database);
    const slot = found.find(viewOfKey(key));
    return slot < 0 ? 0 : found.slotBytes(slot);
  }

  private get volatileOnly(): boolean {
    return this.policy.startsWith('volatile-');
  }

  /** How many keys of a database may go. */
  private eligible(database: Database): number {
    return this.volatileOnly ? database.expiringCount : database.size;
  }

  private randomBelow(bound: number): number {
    return Math.floor((this.randomBits() / 0x1_0000_0000) * bound);
  }

  private sample(database: Database): number {
    const place = this.randomBelow(this.eligible(database));
    return this.volatileOnly ? database.deadlines.slotAtPlace(place) : place;
  }

  private candidate(database: Database, slot: number): Candidate {
    const key = database.keyText(slot);
    return { database: database.id, key, score: this.score(database, slot) };
  }

  private score(database: Database, slot: number): number {
    if (this.policy === 'volatile-ttl') return -database.deadline(slot);
    return this.policy.endsWith('-lfu') ? 255 - database.accessFrequency(slot) : database.idleSeconds(slot);
  }

  private randomKey(): Candidate | undefined {
    const { keyspace } = this.replica.engine;
    let total = 0;
    for (const database of keyspace.used()) total += this.eligible(database);
    // Keys that are leaving already may come up: a few tries, then whatever stands next.
    for (let tries = 0; total > 0 && tries < 32; tries++) {
      let place = this.randomBelow(total);
      for (const database of keyspace.used()) {
        const count = this.eligible(database);
        if (place >= count) {
          place -= count;
          continue;
        }
        const slot = this.volatileOnly ? database.deadlines.slotAtPlace(place) : place;
        const candidate = this.candidate(database, slot);
        if (!this.leaving.has(`${candidate.database}:${candidate.key}`)) return candidate;
        break;
      }
    }
    return undefined;
  }

  private bestCandidate(): Candidate | undefined {
    for (let tries = 0; tries < 8; tries++) {
      this.fillPool();
      if (this.pool.length === 0) return undefined;
      for (let best = this.pool.pop(); best !== undefined; best = this.pool.pop()) {
        if (this.mayGo(best)) return best;
      }
    }
    return undefined;
  }

  /** Whether a remembered candidate still is one. */
  private mayGo({ database, key }: Candidate): boolean {
    if (this.leaving.has(`${database}:${key}`)) return false;
    const found = this.replica.engine.keyspace.database(database);
    const slot = found.find(viewOfKey(key));
    return slot >= 0 && (!this.volatileOnly || found.deadline(slot) !== 0);
  }

  private fillPool(): void {
    for (const database of this.replica.engine.keyspace.used()) {
      const eligible = this.eligible(database);
      for (let i = Math.min(this.samples, eligible); i > 0; i--) {
        const candidate = this.candidate(database, this.sample(database));
        if (this.leaving.has(`${candidate.database}:${candidate.key}`)) continue;
        this.insert(candidate);
      }
    }
  }

  /** The pool is in ascending order of score; the weakest falls out. */
  private insert(candidate: Candidate): void {
    const { pool } = this;
    const known = pool.findIndex(
      ({ database, key }) => database === candidate.database && key === candidate.key,
    );
    if (known >= 0) pool.splice(known, 1);
    let at = pool.length;
    while (at > 0 && pool[at - 1].score > candidate.score) at--;
    pool.splice(at, 0, candidate);
    if (pool.length > POOL_SIZE) pool.shift();
  }
}

function viewOfKey(key: string): View {
  const bytes = Buffer.from(key, 'latin1');
  return new View(bytes, 0, bytes.length);
}
