/**
 * Sorted sets: pairs in a listpack while small, a {@link ScoredTable} beyond Redis's thresholds, one way.
 *
 * Functions take the slot of a key that is known to hold a sorted set; it stays good across them, whether or
 * not the value turns into a table. A rank counts from the lowest score, from 0. Ranks come in pairs `from`,
 * `to`: `to` is the first behind.
 */

import { errors } from '../protocol/errors.js';
import { View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, keyOfRecord, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import type { Address } from '../storage/slab.js';
import { listpackCount, listpackHeaderSize, listpackPrevious, listpackSeek } from './listpack.js';
import { Digits, listpackReply, listpackView, type PackedPlace, PackedSlot, staysSmall } from './packed.js';
import {
  findPackedMember,
  insertPacked,
  packedAfter,
  packedRank,
  packedScoreOf,
  removePackedPairs,
} from './packed-zset.js';
import { scoreOfRecord } from './score-order.js';
import { ScoredTable } from './scored-table.js';
import type { TableHome } from './table.js';
import type { ElementRange } from './zset-range.js';

/** Beyond this no listpack grows, whatever the settings say (Redis's own safety limit). */
const LISTPACK_BYTES_MAX = 1 << 30;

const packed = new View();
const packedSlot = new PackedSlot();

/** The slot of the sorted set at `key`, or ABSENT. Throws WRONGTYPE. */
export function findZset(database: ReadableDatabase, key: View): Slot {
  const slot = database.lookup(key);
  if (slot !== ABSENT && !isZset(database, slot)) throw errors.wrongType;
  return slot;
}

/** Whether the key in `slot` holds a sorted set. */
export function isZset(database: ReadableDatabase, slot: Slot): boolean {
  const encoding = database.encoding(slot);
  return (
    encoding === Encoding.listpackZset || encoding === Encoding.skiplist || encoding === Encoding.packedZset
  );
}

/** The set's table, or undefined while it is packed. */
export function tableAt(database: ReadableDatabase, slot: Slot): ScoredTable | undefined {
  return database.encoding(slot) === Encoding.skiplist ? (database.object(slot) as ScoredTable) : undefined;
}

/** Number of members. */
export function zsetLength(database: ReadableDatabase, slot: Slot): number {
  const table = tableAt(database, slot);
  if (table !== undefined) return table.size;
  database.value(slot, packed);
  return listpackCount(packed.buffer, packed.start) >>> 1;
}

/** The score of `member`, or undefined. */
export function zsetScore(database: ReadableDatabase, slot: Slot, member: View): number | undefined {
  const table = tableAt(database, slot);
  if (table !== undefined) return table.score(member);
  database.value(slot, packed);
  const at = findPackedMember(packed.buffer, packed.start, member);
  return at < 0 ? undefined : packedScoreOf(packed.buffer, at);
}

/** The rank of `member`, or -1. O(log n) in a table. */
export function zsetRank(database: ReadableDatabase, slot: Slot, member: View): number {
  const table = tableAt(database, slot);
  if (table !== undefined) {
    const entry = table.members.find(member);
    return entry === ABSENT ? -1 : table.order.rank(table.members.address(entry));
  }
  database.value(slot, packed);
  const at = findPackedMember(packed.buffer, packed.start, member);
  return at < 0 ? -1 : packedRank(packed.buffer, packed.start, at);
}

// ---- adding ----

/** Decides what becomes of one member: ZADD's conditions and increments. */
export interface ScoreChange {
  /**
   * Whether anything is to change, given the score that the member has now (undefined: it is absent). Asked
   * once; may throw an error reply. A score that is equal does not change: 0 does not become -0.
   */
  decide(current: number | undefined): boolean;
  /** The new score. */
  readonly score: number;
}

/** Whether a listpack may still take a new member; false: the set must become a table first. */
export function fitsPacked(place: PackedPlace, member: View, settings: Settings): boolean {
  const length = member.end - member.start;
  return (
    listpackCount(place.buffer, place.start) >>> 1 < settings['zset-max-listpack-entries'] &&
    length <= settings['zset-max-listpack-value'] &&
    place.length + length < LISTPACK_BYTES_MAX
  );
}

/** A packed set's encoding once a new member is in, undefined when the set must become a table first. */
export function encodingWith(
  place: PackedPlace,
  encoding: Encoding,
  member: View,
  settings: Settings,
): Encoding | undefined {
  if (encoding === Encoding.listpackZset && fitsPacked(place, member, settings)) return encoding;
  // Beside the member stand its length and a score.
  return staysSmall(place, 1, member.length + 32) ? Encoding.packedZset : undefined;
}

/**
 * Changes a packed set, as `change` decides.
 *
 * @returns the set's encoding from now on; undefined when it cannot take the new member: the set must become
 * a table
 */
export function putPacked(
  place: PackedPlace,
  encoding: Encoding,
  member: View,
  change: ScoreChange,
  settings: Settings,
): Encoding | undefined {
  const at = findPackedMember(place.buffer, place.start, member);
  let after: Encoding | undefined = encoding;
  if (at >= 0) {
    if (!change.decide(packedScoreOf(place.buffer, at))) return encoding;
    const from = at - place.start;
    removePackedPairs(place, from, packedAfter(place.buffer, at) - place.start, 1);
  } else {
    if (!change.decide(undefined)) return encoding;
    after = encodingWith(place, encoding, member, settings);
    if (after === undefined) return undefined;
  }
  insertPacked(place, member, change.score, after === Encoding.packedZset);
  return after;
}

/** Changes a table, as `change` decides. */
export function putIntoTable(table: ScoredTable, member: View, change: ScoreChange): void {
  const slot = table.members.find(member);
  if (slot === ABSENT) {
    if (change.decide(undefined)) table.insert(member, change.score);
  } else if (change.decide(table.scoreAt(slot))) table.update(slot, change.score);
}

/** Adds `member` or changes its score, as `change` decides. */
export function zsetPut(database: Database, slot: Slot, member: View, change: ScoreChange): void {
  if (database.encoding(slot) === Encoding.skiplist) {
    putIntoTable(database.objectForWrite(slot) as ScoredTable, member, change);
    return;
  }
  const place = packedSlot.open(database, slot);
  const encoding = database.encoding(slot);
  const after = putPacked(place, encoding, member, change, database.keyspace.settings);
  if (after !== undefined) {
    if (after !== encoding) database.setEncoding(slot, after);
    return;
  }
  const table = tableOf(place, database.keyspace);
  database.replaceBig(slot, Encoding.skiplist, table);
  table.insert(member, change.score);
}

/** Gives a packed set the form that it has past the thresholds. */
export function zsetUnpack(database: Database, slot: Slot): void {
  if (database.encoding(slot) !== Encoding.listpackZset) return;
  const place = packedSlot.open(database, slot);
  if (staysSmall(place, 0, 0)) database.setEncoding(slot, Encoding.packedZset);
  else database.replaceBig(slot, Encoding.skiplist, tableOf(place, database.keyspace));
}

const conversionMember = new View();
const conversionDigits = new Digits();

/** A packed set's members in a table of their own. */
export function tableOf(place: PackedPlace, home: TableHome): ScoredTable {
  const table = new ScoredTable(home);
  const { buffer, start } = place;
  const end = start + place.length - 1;
  for (let at = start + listpackHeaderSize; at < end; at = packedAfter(buffer, at))
    table.insert(listpackView(buffer, at, conversionMember, conversionDigits), packedScoreOf(buffer, at));
  return table;
}

// ---- removing ----

/** Removes a member; whether it was there. The caller deletes the key of a set that is left empty. */
export function zsetRemove(database: Database, slot: Slot, member: View): boolean {
  const table = tableAt(database, slot);
  if (table !== undefined) {
    const entry = table.members.find(member);
    if (entry === ABSENT) return false;
    (database.objectForWrite(slot) as ScoredTable).removeAt(entry);
    return true;
  }
  database.value(slot, packed);
  const at = findPackedMember(packed.buffer, packed.start, member);
  if (at < 0) return false;
  const from = at - packed.start;
  const to = packedAfter(packed.buffer, at) - packed.start;
  removePackedPairs(packedSlot.open(database, slot), from, to, 1);
  return true;
}

/** Removes the members of ranks `from` to `to - 1`, not all that there are. */
export function zsetRemoveRanks(database: Database, slot: Slot, from: number, to: number): void {
  if (database.encoding(slot) === Encoding.skiplist) {
    (database.objectForWrite(slot) as ScoredTable).removeRanks(from, to);
    return;
  }
  const place = packedSlot.open(database, slot);
  const first = listpackSeek(place.buffer, place.start, from * 2);
  let end = first;
  for (let left = to - from; left > 0; left--) end = packedAfter(place.buffer, end);
  removePackedPairs(place, first - place.start, end - place.start, to - from);
}

// ---- ranges ----

/** Ranks that a range comes to; empty where `from` is not below `to`. */
export interface Ranks {
  from: number;
  to: number;
}

const ranks: Ranks = { from: 0, to: 0 };

const nothing = (): Ranks => {
  ranks.from = ranks.to = 0;
  return ranks;
};

/**
 * The ranks in a range; the object is reused. O(log n) in a table.
 *
 * Where a range by member meets different scores, what is inside is none of Redis's promises. A packed set
 * answers as Redis's does: with the run that begins at the first member inside, or, searched from behind,
 * ends at the last. A table is searched by bisection of its ranks, O(log² n), so that the answer follows from
 * its order alone.
 */
export function zsetRanks(
  database: ReadableDatabase,
  slot: Slot,
  range: ElementRange,
  fromBehind = false,
): Ranks {
  if (range.isEmpty) return nothing();
  const table = tableAt(database, slot);
  if (table === undefined) return packedRanks(database.value(slot, packed), range, fromBehind);
  const { order, slab } = table;
  const precedes = (address: Address): boolean =>
    range.precedes(scoreOfRecord(slab, address), keyOfRecord(slab, address, element));
  const reaches = (address: Address): boolean =>
    !range.exceeds(scoreOfRecord(slab, address), keyOfRecord(slab, address, element));
  const follows =
    range.isByScore || scoreOfRecord(slab, order.at(0)) === scoreOfRecord(slab, order.at(table.size - 1));
  ranks.from = follows ? order.countWhile(precedes) : bisect(table, precedes);
  ranks.to = follows ? order.countWhile(reaches) : bisect(table, reaches);
  return ranks;
}

function bisect(table: ScoredTable, holds: (address: Address) => boolean): number {
  let low = 0;
  let high = table.size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(table.order.at(middle))) low = middle + 1;
    else high = middle;
  }
  return low;
}

const element = new View();
const elementDigits = new Digits();

function packedRanks(bytes: View, range: ElementRange, fromBehind: boolean): Ranks {
  const { buffer, start, end } = bytes;
  // The first run inside, and the last.
  let from = -1;
  let to = 0;
  let lastFrom = 0;
  let lastTo = 0;
  let behindPreceding = 0;
  let rank = 0;
  let isOpen = true;
  let precedes = false;
  for (let at = start + listpackHeaderSize; at < end - 1; at = packedAfter(buffer, at), rank++) {
    const member = listpackView(buffer, at, element, elementDigits);
    const score = packedScoreOf(buffer, at);
    precedes = range.precedes(score, member);
    const exceeds = range.exceeds(score, member);
    if (rank === 0 && exceeds) return nothing();
    if (from < 0 && !precedes) from = to = rank;
    if (from >= 0 && exceeds) isOpen = false;
    if (from >= 0 && isOpen) to = rank + 1;
    // Searched from behind, the run ends at the last element that does not exceed, and begins behind the last
    // before it that precedes.
    if (precedes) behindPreceding = rank + 1;
    if (exceeds) continue;
    lastFrom = behindPreceding;
    lastTo = rank + 1;
  }
  if (precedes || from < 0) return nothing();
  ranks.from = fromBehind ? lastFrom : from;
  ranks.to = fromBehind ? lastTo : to;
  return ranks;
}

// ---- walking ----

/** Walks a sorted set that does not change meanwhile: in its own order (that of ZSCAN), or by rank. */
export class ZsetReader {
  private table: ScoredTable | undefined;
  private buffer!: Buffer;
  private start = 0;
  private end = 0;
  /** Position in the listpack; -1 before the first element. */
  private at = 0;
  /** Slot in the table, when walked in its own order. */
  private slot = 0;
  private address: Address = 0;
  private leaf: readonly Address[] = [];
  private leafIndex = 0;
  private rank = 0;
  private readonly bytes = new View();
  private readonly digits = new Digits();

  private openValue(database: ReadableDatabase, slot: Slot): void {
    this.table = tableAt(database, slot);
    if (this.table !== undefined) return;
    database.value(slot, packed);
    this.buffer = packed.buffer;
    this.start = packed.start;
    this.end = packed.end - 1;
  }

  /** Stands before the first element of the set's own order, which for a packed set is that of the ranks. */
  open(database: ReadableDatabase, slot: Slot): this {
    this.openValue(database, slot);
    this.slot = this.at = -1;
    return this;
  }

  get isDirect(): boolean {
    return this.table !== undefined;
  }

  /** Goes to the next element of the set's own order; false behind the last. */
  next(): boolean {
    if (this.table !== undefined) {
      if (++this.slot >= this.table.size) return false;
      this.address = this.table.members.address(this.slot);
      return true;
    }
    this.at = this.at < 0 ? this.start + listpackHeaderSize : packedAfter(this.buffer, this.at);
    return this.at < this.end;
  }

  /**
   * Goes to the element at an index of the set's own order, which must be inside: O(1) in a table, a walk in
   * a listpack.
   */
  seek(index: number): this {
    if (this.table === undefined) this.at = listpackSeek(this.buffer, this.start, index * 2);
    else {
      this.slot = index;
      this.address = this.table.members.address(index);
    }
    return this;
  }

  /** Stands on the element of a rank, which must be inside. O(log n) in a table. */
  openRank(database: ReadableDatabase, slot: Slot, rank: number): this {
    this.openValue(database, slot);
    return this.seekRank(rank);
  }

  /** {@link openRank} for a table that no key has. */
  openTable(table: ScoredTable, rank: number): this {
    this.table = table;
    return this.seekRank(rank);
  }

  private seekRank(rank: number): this {
    this.rank = rank;
    if (this.table === undefined) {
      this.at = listpackSeek(this.buffer, this.start, rank * 2);
      return this;
    }
    this.leaf = this.table.order.leafAt(rank);
    this.leafIndex = this.table.order.leafIndex;
    this.address = this.leaf[this.leafIndex];
    return this;
  }

  /** Goes on by one rank, which must be inside, upward or downward. */
  step(downward: boolean): void {
    if (downward) {
      this.rank--;
      if (this.table === undefined) {
        const scoreAt = listpackPrevious(this.buffer, this.start, this.at);
        this.at = listpackPrevious(this.buffer, this.start, scoreAt);
      } else if (--this.leafIndex < 0) this.seekRank(this.rank);
      else this.address = this.leaf[this.leafIndex];
      return;
    }
    this.rank++;
    if (this.table === undefined) this.at = packedAfter(this.buffer, this.at);
    else if (++this.leafIndex === this.leaf.length) this.seekRank(this.rank);
    else this.address = this.leaf[this.leafIndex];
  }

  /** The member's bytes, valid until the reader moves. */
  member(): View {
    return this.table === undefined
      ? listpackView(this.buffer, this.at, this.bytes, this.digits)
      : keyOfRecord(this.table.slab, this.address, this.bytes);
  }

  /** The member as a reply, which outlasts the reader's moves. */
  memberReply(): View | string {
    return this.table === undefined
      ? listpackReply(this.buffer, this.at, new View())
      : keyOfRecord(this.table.slab, this.address, new View());
  }

  /** The member for a reply that outlasts the set. */
  memberKept(): string | Buffer {
    return this.member().kept();
  }

  /** The member as a flat string. */
  memberText(): string {
    return this.member().latin1();
  }

  score(): number {
    return this.table === undefined
      ? packedScoreOf(this.buffer, this.at)
      : scoreOfRecord(this.table.slab, this.address);
  }
}
