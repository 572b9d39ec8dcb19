/**
 * Editing packed values (listpacks, intsets) wherever their bytes lie: in a key's record, or in a scratch
 * buffer where a new value is put together.
 */

import { writeInt64Text } from '../numbers/int64.js';
import { type Lender, View } from '../protocol/view.js';
import type { Database } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import {
  listpackCount,
  listpackInteger,
  listpackIsInteger,
  listpackStringStart,
  listpackText,
  listpackTextLength,
  resizeListpack,
} from './listpack.js';

/**
 * One packed value that is being edited: `length` bytes of `buffer` from `start`, all three current after
 * every {@link resize}.
 */
export interface PackedPlace {
  readonly buffer: Buffer;
  readonly start: number;
  readonly length: number;
  /** Changes the length, keeping the bytes that both lengths share. */
  resize(length: number): void;
}

/** The packed value of a key. */
export class PackedSlot implements PackedPlace {
  private readonly view = new View();
  private database!: Database;
  private slot: Slot = 0;

  get buffer(): Buffer {
    return this.view.buffer;
  }

  get start(): number {
    return this.view.start;
  }

  get length(): number {
    return this.view.end - this.view.start;
  }

  /**
   * Opens the value in `slot` for changing. It may be edited until something else changes in the database.
   */
  open(database: Database, slot: Slot): this {
    this.database = database;
    this.slot = slot;
    database.valueForWrite(slot, this.view);
    return this;
  }

  resize(length: number): void {
    this.database.resizeValue(this.slot, length);
    this.database.valueForWrite(this.slot, this.view);
  }
}

/**
 * A table costs more than a kilobyte before its first element. What Redis turns into a table for one long
 * element, or for its count, thus stays packed up to here, and only names itself as Redis does: at some 64
 * pairs or 8 KiB a table costs no more, and walking would.
 */
const SMALL_PAIRS_MAX = 64;
const SMALL_BYTES_MAX = 8192;

/**
 * Whether a packed value of pairs, as it is or with `bytes` more, may stay packed past Redis's thresholds.
 */
export function staysSmall(place: PackedPlace, morePairs: number, bytes: number): boolean {
  return (
    (listpackCount(place.buffer, place.start) >>> 1) + morePairs <= SMALL_PAIRS_MAX &&
    place.length + bytes <= SMALL_BYTES_MAX
  );
}

const SCRATCH_BYTES_KEPT = 1 << 20;

/** A packed value that no key has yet. */
export class PackedScratch implements PackedPlace {
  buffer: Buffer = Buffer.allocUnsafeSlow(1024);
  readonly start = 0;
  length = 0;
  private readonly bytes = new View();

  /** Starts over, with no bytes. */
  clear(): void {
    this.length = 0;
    if (this.buffer.length > SCRATCH_BYTES_KEPT) this.buffer = Buffer.allocUnsafeSlow(1024);
  }

  resize(length: number): void {
    if (length > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, this.buffer.length * 2));
      this.buffer.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    this.length = length;
  }

  /** The bytes as they are now. */
  view(): View {
    return this.bytes.on(this.buffer, 0, this.length);
  }
}

/**
 * Makes `removed` bytes at `offset` (whole elements) room for `inserted` bytes, which the caller fills with
 * elements at once.
 *
 * @returns where in the place's buffer that room begins
 */
export function spliceListpack(
  place: PackedPlace,
  offset: number,
  removed: number,
  inserted: number,
  countChange: number,
): number {
  const length = place.length + inserted - removed;
  if (inserted > removed) place.resize(length);
  resizeListpack(place.buffer, place.start, place.start + offset, removed, inserted, countChange);
  if (inserted < removed) place.resize(length);
  return place.start + offset;
}

/**
 * The element as a reply: text of its own for an integer, else a view of the value's bytes.
 *
 * @param lender who owns the buffer, if it lends it
 */
export function listpackReply(buffer: Buffer, at: number, into: View, lender?: Lender): View | string {
  if (listpackIsInteger(buffer, at)) return listpackText(buffer, at);
  const from = listpackStringStart(buffer, at);
  const end = from + listpackTextLength(buffer, at);
  return lender === undefined ? into.on(buffer, from, end) : into.onLent(lender, buffer, from, end);
}

/** Room for the digits of one 64-bit integer, to be shown as a view. */
export class Digits {
  private readonly buffer = Buffer.allocUnsafeSlow(24);
  private readonly digits = new View();

  /** The decimal digits of `integer`, valid until the next call. */
  of(integer: number | bigint): View {
    return this.digits.on(this.buffer, 0, writeInt64Text(integer, this.buffer, 0));
  }
}

/** The element's text as a view: of the value's bytes, or of `digits` for an integer. */
export function listpackView(buffer: Buffer, at: number, into: View, digits: Digits): View {
  if (listpackIsInteger(buffer, at)) return digits.of(listpackInteger(buffer, at));
  const from = listpackStringStart(buffer, at);
  return into.on(buffer, from, from + listpackTextLength(buffer, at));
}
