/**
 * Clients that wait for keys (BLPOP and its like): engine state, the same on every node.
 *
 * A waiter is its own request, kept as bytes. When a key that it waits for comes into being, the request runs
 * again, restricted to that key: in the apply of the very push that created it, first come first served
 * (Redis 7.0, blocked.c: clients are served in the order in which they blocked, keys in the order in which
 * they became ready).
 */
import Denque from 'denque';
import type { Session } from './command/command.js';

export interface Waiter {
  readonly session: Session;
  /** Number of the database: SWAPDB does not take waiters along. */
  readonly database: number;
  /** Name of the value type that it waits for. */
  readonly type: string;
  /** Latin1; each once. */
  readonly keys: readonly string[];
  /** Logged time in milliseconds at which it gives up; 0: never. */
  readonly deadlineMs: number;
  /** The blocked request, a RESP array. */
  readonly request: Buffer;
  /** Whose rights it is judged by when it is served (latin1); empty: the default user. */
  readonly user: string;
}

const sessionName = (session: Session): string => `${session.nodeId}:${session.startId}:${session.counter}`;
const keyName = (type: string, database: number, key: string): string => `${type}:${database}:${key}`;

/** Sized by the number of connected clients, which is bounded; hence plain Maps. */
export class Waiters {
  /** In order of arrival. */
  private readonly bySession = new Map<string, Waiter>();
  private readonly byKey = new Map<string, Denque<Waiter>>();
  private earliest = Number.POSITIVE_INFINITY;
  private readonly countByType = new Map<string, number>();

  get size(): number {
    return this.bySession.size;
  }

  /** In order of arrival: what a snapshot writes. */
  all(): IterableIterator<Waiter> {
    return this.bySession.values();
  }

  /** Adds a waiter, the last in line. A session waits for one request at a time. */
  add(waiter: Waiter): void {
    const previous = this.ofSession(waiter.session);
    if (previous !== undefined) this.remove(previous);
    this.bySession.set(sessionName(waiter.session), waiter);
    this.count(waiter.type, 1);
    for (const key of waiter.keys) {
      const name = keyName(waiter.type, waiter.database, key);
      let queue = this.byKey.get(name);
      if (queue === undefined) {
        queue = new Denque();
        this.byKey.set(name, queue);
      }
      queue.push(waiter);
    }
    if (waiter.deadlineMs !== 0) this.earliest = Math.min(this.earliest, waiter.deadlineMs);
  }

  private count(type: string, change: number): void {
    this.countByType.set(type, (this.countByType.get(type) ?? 0) + change);
  }

  remove(waiter: Waiter): void {
    if (!this.bySession.delete(sessionName(waiter.session))) return;
    this.count(waiter.type, -1);
    if (this.bySession.size === 0) this.earliest = Number.POSITIVE_INFINITY;
    for (const key of waiter.keys) {
      const name = keyName(waiter.type, waiter.database, key);
      const queue = this.byKey.get(name);
      if (queue === undefined) continue;
      for (let i = 0; i < queue.length; i++) {
        if (queue.peekAt(i) !== waiter) continue;
        queue.removeOne(i);
        break;
      }
      if (queue.length === 0) this.byKey.delete(name);
    }
  }

  ofSession(session: Session): Waiter | undefined {
    return this.bySession.get(sessionName(session));
  }

  /** Those of a node's start, in order of arrival. */
  ofStart({ nodeId, startId }: Session): Waiter[] {
    return [...this.bySession.values()].filter(
      (w) => w.session.nodeId === nodeId && w.session.startId === startId,
    );
  }

  /** Whether anybody waits for a value of any type at a key. */
  hasKey(database: number, key: string): boolean {
    for (const type of this.countByType.keys()) if (this.byKey.has(keyName(type, database, key))) return true;
    return false;
  }

  /** Whether anybody waits for a value of a type, wherever. */
  hasType(type: string): boolean {
    return (this.countByType.get(type) ?? 0) > 0;
  }

  /** Who waits longest for a value of a type at a key. */
  first(type: string, database: number, key: string): Waiter | undefined {
    return this.byKey.get(keyName(type, database, key))?.peekFront();
  }

  /** All who wait for a value of a type at a key, in order of arrival. */
  at(type: string, database: number, key: string): readonly Waiter[] {
    return this.byKey.get(keyName(type, database, key))?.toArray() ?? [];
  }

  /** The earliest deadline of any waiter, or undefined. May be earlier than the truth, never later. */
  get nextDeadline(): number | undefined {
    return this.earliest === Number.POSITIVE_INFINITY ? undefined : this.earliest;
  }

  /** Waiters whose time is up, by deadline, then by arrival. */
  due(nowMs: number): Waiter[] {
    if (this.earliest > nowMs) return [];
    const due: Waiter[] = [];
    this.earliest = Number.POSITIVE_INFINITY;
    for (const waiter of this.bySession.values()) {
      if (waiter.deadlineMs === 0) continue;
      if (waiter.deadlineMs <= nowMs) due.push(waiter);
      else this.earliest = Math.min(this.earliest, waiter.deadlineMs);
    }
    // The sort is stable: arrival decides among equals.
    return due.sort((a, b) => a.deadlineMs - b.deadlineMs);
  }
}
