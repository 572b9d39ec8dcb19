/** Puts new sorted sets together, away from any key. */

import type { View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import type { Database } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { type KeyEvent, keyEvents } from '../storage/key-events.js';
import { listpackCount, listpackEmptySize, writeEmptyListpack } from './listpack.js';
import { PackedScratch } from './packed.js';
import { appendPacked } from './packed-zset.js';
import { ScoredTable } from './scored-table.js';
import type { TableHome } from './table.js';
import { encodingWith, putIntoTable, putPacked, type ScoreChange, tableOf, ZsetReader } from './zset.js';

type Home = TableHome & { readonly settings: Settings };

/** Gives a member its score without conditions. */
export class PlainScore implements ScoreChange {
  score = 0;

  /** This change, with another score. */
  of(score: number): this {
    this.score = score;
    return this;
  }

  decide(current: number | undefined): boolean {
    return current !== this.score;
  }
}

/** One builder serves many sets, one at a time. */
export class ZsetBuilder {
  private readonly place = new PackedScratch();
  private table: ScoredTable | undefined;
  /** That of {@link place}. */
  private encoding: Encoding = Encoding.listpackZset;
  private readonly reader = new ZsetReader();

  /** Starts an empty set. */
  start(): this {
    this.table = undefined;
    this.encoding = Encoding.listpackZset;
    this.place.clear();
    this.place.resize(listpackEmptySize);
    writeEmptyListpack(this.place.buffer, 0);
    return this;
  }

  /** Starts an empty set that is known to outgrow a listpack. */
  startTable(home: TableHome): this {
    this.table = new ScoredTable(home);
    return this;
  }

  get size(): number {
    return this.table?.size ?? listpackCount(this.place.buffer, 0) >>> 1;
  }

  /** Adds a member or changes its score, as `change` decides. */
  put(member: View, change: ScoreChange, home: Home): void {
    if (this.table !== undefined) {
      putIntoTable(this.table, member, change);
      return;
    }
    const after = putPacked(this.place, this.encoding, member, change, home.settings);
    if (after !== undefined) {
      this.encoding = after;
      return;
    }
    this.table = tableOf(this.place, home);
    this.table.insert(member, change.score);
  }

  /** Takes over a table, its order made; packed if it fits (as Redis packs the results of its operations). */
  adopt(table: ScoredTable, home: Home): this {
    this.start();
    const { size } = table;
    if (this.pack(table, home)) table.dispose(size);
    else this.table = table;
    return this;
  }

  /** Packs a table's members, in order; false where they do not fit. */
  private pack(table: ScoredTable, { settings }: Pick<Home, 'settings'>): boolean {
    for (let rank = 0; rank < table.size; rank++) {
      if (rank === 0) this.reader.openTable(table, 0);
      else this.reader.step(false);
      const member = this.reader.member();
      const after = encodingWith(this.place, this.encoding, member, settings);
      if (after === undefined) return false;
      if (after !== this.encoding) {
        this.start();
        this.encoding = after;
        // Once more from the first: the scores before this one may have lost the sign of 0.
        if (rank > 0) return this.pack(table, { settings });
      }
      appendPacked(this.place, member, this.reader.score(), after === Encoding.packedZset);
    }
    return true;
  }

  /** Adds the set, not empty, at a key that is known to be absent. */
  create(database: Database, key: View): Slot {
    const table = this.table;
    this.table = undefined;
    return table === undefined
      ? database.create(key, this.encoding, this.place.view())
      : database.createBig(key, Encoding.skiplist, table);
  }

  /**
   * Stores the set at `key` in place of whatever was there, without a deadline; an empty set deletes the key.
   * Notes the change.
   *
   * @param event told unless the key is deleted
   * @returns the number of members
   */
  store(database: Database, key: View, event: KeyEvent): number {
    const { size, table } = this;
    const slot = database.find(key);
    if (size === 0) {
      this.table = undefined;
      if (slot === ABSENT) return 0;
      database.delete(slot);
    } else if (slot === ABSENT) {
      this.create(database, key);
    } else {
      this.table = undefined;
      if (table === undefined) database.replace(slot, this.encoding, this.place.view());
      else database.replaceBig(slot, Encoding.skiplist, table);
      if (database.deadline(slot) !== 0) database.setDeadline(slot, 0);
    }
    database.changed(key, size === 0 ? keyEvents.del : event);
    return size;
  }
}
