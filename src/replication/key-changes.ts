/** Which keys change while this node sends them elsewhere: exactly, where the marks of WATCH only say that one of a bucket did. */
import type { Engine } from '../../engine/index.js';

/** One transfer's keys of one database. */
export class KeyWatch {
  private readonly changed = new Set<string>();

  constructor(
    private readonly changes: KeyChanges,
    readonly database: number,
    readonly keys: ReadonlySet<string>,
    private readonly engine: Engine,
    private readonly flushedAt: number,
  ) {}

  note(key: string): void {
    if (this.keys.has(key)) this.changed.add(key);
  }

  /** Whether the key (latin1) may be another than when the watch began. */
  hasChanged(key: string): boolean {
    return this.changed.has(key) || this.changes.begunOn(this.engine, this.database) !== this.flushedAt;
  }

  end(): void {
    this.changes.end(this);
  }
}

export class KeyChanges {
  private readonly watches = new Set<KeyWatch>();

  constructor(private readonly currentEngine: () => Engine) {}

  /** Begins to watch keys (latin1), as they are now. To be ended. */
  watch(database: number, keys: ReadonlySet<string>): KeyWatch {
    const engine = this.currentEngine();
    const watch = new KeyWatch(this, database, keys, engine, engine.keyspace.database(database).flushedAt);
    this.watches.add(watch);
    engine.keyspace.changeListener = (changed, key) => {
      const text = key.latin1();
      for (const one of this.watches) if (one.database === changed) one.note(text);
    };
    return watch;
  }

  /** When the database was last emptied or swapped; undefined when a snapshot has replaced the whole engine, whose changes nobody told. */
  begunOn(engine: Engine, database: number): number | undefined {
    return engine === this.currentEngine() ? engine.keyspace.database(database).flushedAt : undefined;
  }

  end(watch: KeyWatch): void {
    this.watches.delete(watch);
    if (this.watches.size === 0) this.currentEngine().keyspace.changeListener = undefined;
  }
}
