/**
 * Which keys change while this node sends them elsewhere: exactly, where the marks of WATCH only say that one
 * of a bucket did.
 */
import type { Engine } from '../../engine/index.js';

/** One transfer's keys of one database. */
export class KeyWatch {
  private readonly changed = new Set<string>();
  private readonly stopListening: () => void;

  constructor(
    private readonly changes: KeyChanges,
    readonly database: number,
    readonly keys: ReadonlySet<string>,
    private readonly engine: Engine,
    private readonly flushedAt: number,
  ) {
    this.stopListening = engine.keyspace.listen({
      changed: (changedIn, key) => {
        if (changedIn !== database) return;
        const text = key.latin1();
        if (keys.has(text)) this.changed.add(text);
      },
    });
  }

  /** Whether the key (latin1) may be another than when the watch began. */
  hasChanged(key: string): boolean {
    return this.changed.has(key) || this.changes.begunOn(this.engine, this.database) !== this.flushedAt;
  }

  end(): void {
    this.stopListening();
  }
}

export class KeyChanges {
  constructor(private readonly currentEngine: () => Engine) {}

  /** Begins to watch keys (latin1), as they are now. To be ended. */
  watch(database: number, keys: ReadonlySet<string>): KeyWatch {
    const engine = this.currentEngine();
    return new KeyWatch(this, database, keys, engine, engine.keyspace.database(database).flushedAt);
  }

  /**
   * When the database was last emptied or swapped; undefined when a snapshot has replaced the whole engine,
   * whose changes nobody told.
   */
  begunOn(engine: Engine, database: number): number | undefined {
    return engine === this.currentEngine() ? engine.keyspace.database(database).flushedAt : undefined;
  }
}
