/** Waiting clients are served: within the entry that made a key ready, first come first served. */
import type { ApplyListener } from './apply-listener.js';
import { errors } from './protocol/errors.js';
import { BLOCKED, type Reply } from './protocol/reply.js';
import { parseTrusted, Request } from './protocol/request.js';
import { TEXT_BYTES_MAX, View } from './protocol/view.js';
import type { Database } from './storage/database.js';
import { ABSENT } from './storage/dictionary.js';
import type { CreationListener, Keyspace } from './storage/keyspace.js';
import { valueTypes } from './types/index.js';
import type { Waiter, Waiters } from './waiters.js';

interface ReadyKey {
  readonly database: number;
  readonly key: string;
}

/** The engine, as far as serving needs it. */
export interface WaiterHost {
  readonly keyspace: Keyspace;
  readonly waiters: Waiters;
  /** Runs a waiting request again, for the key that it waits for. */
  retry(waiter: Waiter, request: Request, readyKey: View): Reply;
}

export class ReadyWaiters {
  /** By database and key, in the order in which they became ready. */
  keys = new Map<string, ReadyKey>();
  private readonly request = new Request();

  constructor(private readonly host: WaiterHost) {}

  /** To be told of keys that come into being, while clients wait. */
  readonly creationListener: CreationListener = {
    created: (database, key, type) => {
      // Nobody can wait for a longer one: the request was refused.
      if (key.length <= TEXT_BYTES_MAX) this.noteReady(database.id, key.latin1(), type);
    },
    replaced: (database) => {
      // Redis looks for what is gone first.
      this.noteReplaced(database, false);
      this.noteReplaced(database, true);
    },
  };

  /** Notes the keys that clients wait for and that the database has now, or has not. */
  private noteReplaced(database: Database, areThere: boolean): void {
    for (const waiter of this.host.waiters.all()) {
      if (waiter.database !== database.id) continue;
      const isShared = valueTypes.named(waiter.type)!.awaited === 'shared';
      for (const key of waiter.keys) {
        const slot = database.find(this.viewOfKey(key));
        const isThere = slot !== ABSENT && database.type(slot) === waiter.type;
        if (isThere === areThere && (isThere || isShared)) this.noteReady(database.id, key, waiter.type);
      }
    }
  }

  private noteReady(database: number, key: string, type: string): void {
    // As in Redis, a key that comes into being counts if anybody waits for its type anywhere, and anybody for
    // the key: what it holds when waiters are served decides who is.
    if (this.host.waiters.hasType(type) && this.host.waiters.hasKey(database, key))
      this.keys.set(`${database}:${key}`, { database, key });
  }

  private viewOfKey(key: string): View {
    const bytes = Buffer.from(key, 'latin1');
    return new View(bytes, 0, bytes.length);
  }

  /** Serves waiters of keys that came into being, in rounds: a served BLMOVE may make another key ready. */
  serve(listener: ApplyListener): void {
    while (this.keys.size > 0) {
      const round = this.keys;
      this.keys = new Map();
      for (const { database, key } of round.values()) this.serveKey(database, key, listener);
    }
    if (this.host.waiters.size === 0) this.host.keyspace.creationListener = undefined;
  }

  /**
   * Serves who waits for a key. What is there now decides who: the key may have gone, or hold something else.
   */
  private serveKey(databaseId: number, key: string, listener: ApplyListener): void {
    const view = this.viewOfKey(key);
    const database = this.host.keyspace.database(databaseId);
    this.serveTakers(database, view, key, listener);
    for (const { name, awaited } of valueTypes.types)
      if (awaited === 'shared') this.serveSharers(name, databaseId, view, key, listener);
  }

  /** In order, for as long as the key is there and of their type. */
  private serveTakers(database: Database, view: View, key: string, listener: ApplyListener): void {
    for (;;) {
      const slot = database.find(view);
      if (slot === ABSENT) return;
      const type = valueTypes.of(database.encoding(slot));
      const waiter =
        type.awaited === 'taken' ? this.host.waiters.first(type.name, database.id, key) : undefined;
      if (waiter === undefined) return;
      const reply = this.retry(waiter, view);
      if (reply === BLOCKED) throw new Error('a waiting request was not served by the key that it waits for');
      this.release(waiter, reply, listener);
    }
  }

  /** All of them, in order; who finds nothing goes on waiting. */
  private serveSharers(
    type: string,
    databaseId: number,
    view: View,
    key: string,
    listener: ApplyListener,
  ): void {
    for (const waiter of this.host.waiters.at(type, databaseId, key)) {
      const reply = this.retry(waiter, view);
      if (reply !== BLOCKED) this.release(waiter, reply, listener);
    }
  }

  /** The waiter has its reply. */
  release(waiter: Waiter, reply: Reply, listener: ApplyListener): void {
    this.host.waiters.remove(waiter);
    listener.wake(waiter.session, reply);
  }

  /** All are told that they wait no more. */
  drop(listener: ApplyListener): void {
    for (const waiter of [...this.host.waiters.all()]) this.release(waiter, errors.forcedUnblock, listener);
    this.host.keyspace.creationListener = undefined;
  }

  private retry(waiter: Waiter, readyKey: View): Reply {
    parseTrusted(waiter.request, 0, this.request);
    return this.host.retry(waiter, this.request, readyKey);
  }
}
