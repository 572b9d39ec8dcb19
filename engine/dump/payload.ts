/** Whole DUMP payloads: from a key's value to bytes and back, by the value type's descriptor. */
import type { GradualReply } from '../protocol/gradual-reply.js';
import type { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import { typeOfPayload, valueTypes } from '../types/index.js';
import type { LoadedValue } from '../types/value-type.js';
import { Corruption, corrupt, RdbReader } from './rdb-reader.js';
import { versionOfType } from './rdb-types.js';
import { RdbWriter } from './rdb-writer.js';

export type DumpFailure = { kind: 'corrupt'; reason: string };

/**
 * The payload of the value in `slot`, in the encoding that Redis would write it in. Throws when it is beyond
 * all limits.
 */
export function dumpValue(database: ReadableDatabase, slot: Slot): Buffer {
  return valueTypes.of(database.encoding(slot)).dump(database, slot);
}

/** The payload in slices, where it is worth it: the value is as it was at the beginning. */
export function dumpGradually(database: ReadableDatabase, slot: Slot): GradualReply | undefined {
  return valueTypes.of(database.encoding(slot)).gradualDump?.(database, slot);
}

/**
 * Reads the value of a payload whose footer `isIntactDump` has found right.
 *
 * Never throws on damaged bytes: the failure says what is wrong (RESTORE answers "Bad data format"). Refused
 * besides damage: empty collections, duplicates, NaN scores (a packed score that is no number is 0), unknown
 * types, more than 1 GiB of decompressed strings. As in Redis, bytes between value and footer are ignored,
 * and a value that claims more than there is before the footer is read into it.
 */
export function readDump(payload: Buffer, start: number, end: number): LoadedValue | DumpFailure {
  try {
    const reader = new RdbReader(payload, start, end);
    const rdbType = reader.byte();
    const type = typeOfPayload(rdbType) ?? corrupt(`type ${rdbType} is not supported`);
    return type.load(reader, rdbType);
  } catch (error) {
    if (error instanceof Corruption) return { kind: 'corrupt', reason: error.message };
    throw error;
  }
}

/** Adds `key`, known to be absent, with a value that {@link readDump} has read. */
export function createFromDump(database: Database, key: View, value: LoadedValue): void {
  typeOfPayload(value.rdbType)!.create(database, key, value);
}

/** The payload of a value whose type and bytes stand in an RDB file. */
export function sealDump(rdbType: number, value: Buffer): Buffer {
  return new RdbWriter(rdbType).raw(value).finish(versionOfType(rdbType));
}

/** A string as an RDB file holds it, with its length or encoding; latin1. */
export function readRdbString(bytes: Buffer): string {
  const { buffer, start, length } = new RdbReader(bytes, 0, bytes.length).string();
  return buffer.latin1Slice(start, start + length);
}
