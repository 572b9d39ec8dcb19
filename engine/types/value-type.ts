/**
 * A value type is one descriptor: how its values are laid out, cut, restored, dumped, loaded, digested,
 * copied and measured, and whether clients can wait for one. A new type is its own files and a line in the
 * list of `engine/types/index.ts`.
 *
 * Memory, snapshot, copy and disposal of a big value are methods of the value itself ({@link BigValue});
 * packed ones are bytes in their key's record, which storage cuts, copies and measures without knowing the
 * type.
 */
import type { RdbReader } from '../dump/rdb-reader.js';
import type { GradualReply } from '../protocol/gradual-reply.js';
import type { View } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import type { Encoding, StoredType } from '../storage/encoding.js';
import type { Keyspace } from '../storage/keyspace.js';
import type { ValueRestorer } from '../values/big-value.js';

/** Takes what a value holds for DEBUG DIGEST. */
export interface ContentDigest {
  /** Takes in what comes in an order. */
  mix(bytes: View | string): void;
  /** Takes in what may come in any order. */
  add(bytes: View | string): void;
  /** Takes in, in any order, what has an order within. */
  addGroup(fill: (group: ContentDigest) => void): void;
}

/** A value as read from a payload; `kind` is its type's name. */
export interface LoadedValue {
  readonly kind: string;
  /**
   * In what form it came: Redis lets a value that came packed keep that form in some cases in which it would
   * not have chosen it.
   */
  readonly rdbType: number;
}

/** @template Loaded what {@link load} makes and {@link create} takes */
export interface ValueType<Loaded extends LoadedValue = LoadedValue> extends StoredType {
  /** The type's number in DEBUG DIGEST. */
  readonly digestNumber: number;
  /** First bytes of the payloads that hold a value of this type. */
  readonly rdbTypes: readonly number[];
  /** Puts a big value of `size` pieces together (as its walk said). Asked only for encodings that are big. */
  restorer(encoding: Encoding, keyspace: Keyspace, size: number): ValueRestorer;
  /**
   * DUMP's payload of the value in `slot`, in the form that Redis would write. Throws when it is beyond all
   * limits.
   */
  dump(database: ReadableDatabase, slot: Slot): Buffer;
  /** {@link dump} in slices, of a value that is large; undefined for one that is not. */
  gradualDump?(database: ReadableDatabase, slot: Slot): GradualReply | undefined;
  /** Reads a value behind the payload's type byte. Everything is checked here: {@link create} cannot fail. */
  load(reader: RdbReader, rdbType: number): Loaded;
  /**
   * Adds `key`, known to be absent, with a value that {@link load} made, in the encoding that Redis gives on
   * loading.
   */
  create(database: Database, key: View, value: Loaded): void;
  digest(into: ContentDigest, database: ReadableDatabase, slot: Slot): void;
}
