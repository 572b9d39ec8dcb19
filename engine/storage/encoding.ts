/**
 * How a key's value is laid out: a byte of its slot. The numbers go into snapshots and digests: one that was
 * given stays. A type that is not one of the first five declares its own number in its descriptor
 * (`engine/types/`).
 */
export const Encoding = {
  /** A string that is a canonical 64-bit integer, kept as its text. */
  int: 0,
  /** A string of at most 44 bytes that was set whole. */
  embstr: 1,
  /** Any other string below 8 KiB. */
  raw: 2,
  /** A string in a buffer of its own ({@link LargeString}). */
  largeRaw: 3,
  /** A list in one packed byte string. */
  packedList: 4,
  quicklist: 5,
  intset: 6,
  /** A small set of strings in one packed byte string. */
  packedSet: 7,
  setTable: 8,
  listpackHash: 9,
  hashTable: 10,
  listpackZset: 11,
  skiplist: 12,
  /** A hash that Redis would hold as a table, small enough for one packed byte string. */
  packedHash: 14,
  /** A sorted set that Redis would hold as a skiplist, small enough for one packed byte string. */
  packedZset: 15,
} as const;
export type Encoding = number;

/** One of a type's layouts. */
export interface EncodingRow {
  readonly encoding: Encoding;
  /** What OBJECT ENCODING answers in Redis 7.0. */
  readonly name: string;
  /** Whether the value is an object of its own, and the slot's record holds no bytes of it. */
  readonly isBig: boolean;
}

/** What storage must know of a value type; its descriptor (`engine/types/value-type.ts`) says the rest. */
export interface StoredType {
  /** What TYPE answers. */
  readonly name: string;
  readonly encodings: readonly EncodingRow[];
  /**
   * Whether clients can wait for a value of this type at a key. What the first of them gets is taken from the
   * others, for as long as there is a value; or all share it, and are told each time that it changes, its end
   * included.
   */
  readonly awaited: 'taken' | 'shared' | undefined;
}

/** Finds types and encodings by the byte that a slot keeps. */
export class TypeTable<Type extends StoredType = StoredType> {
  private readonly rows: EncodingRow[] = [];
  private readonly owners: Type[] = [];
  private readonly big: boolean[] = [];

  constructor(readonly types: readonly Type[]) {
    for (const type of types) {
      for (const row of type.encodings) {
        if (this.rows[row.encoding] !== undefined)
          throw new Error(
            `types ${this.owners[row.encoding].name} and ${type.name} share encoding ${row.encoding}`,
          );
        this.rows[row.encoding] = row;
        this.owners[row.encoding] = type;
        this.big[row.encoding] = row.isBig;
      }
    }
  }

  /** Encodings are below this number. */
  get encodingLimit(): number {
    return this.rows.length;
  }

  /** Whether a type claims this number. */
  has(encoding: number): boolean {
    return this.rows[encoding] !== undefined;
  }

  of(encoding: Encoding): Type {
    return this.owners[encoding];
  }

  named(name: string): Type | undefined {
    return this.types.find((type) => type.name === name);
  }

  isBig(encoding: Encoding): boolean {
    return this.big[encoding];
  }

  /** What OBJECT ENCODING answers. */
  encodingName(encoding: Encoding): string {
    return this.rows[encoding].name;
  }
}
