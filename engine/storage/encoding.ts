/** How a key's value is laid out. The names are those of OBJECT ENCODING in Redis 7.0; the number is a byte of the slot. */
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
} as const;
export type Encoding = (typeof Encoding)[keyof typeof Encoding];

export type TypeName = 'string' | 'list' | 'set' | 'hash' | 'zset';

const names = [
  'int',
  'embstr',
  'raw',
  'raw',
  'quicklist',
  'quicklist',
  'intset',
  'hashtable',
  'hashtable',
  'listpack',
  'hashtable',
  'listpack',
  'skiplist',
] as const;

const types: readonly TypeName[] = [
  'string',
  'string',
  'string',
  'string',
  'list',
  'list',
  'set',
  'set',
  'set',
  'hash',
  'hash',
  'zset',
  'zset',
];

/** The name that OBJECT ENCODING gives. */
export function encodingName(encoding: Encoding): string {
  return names[encoding];
}

export function typeOf(encoding: Encoding): TypeName {
  return types[encoding];
}

/** Whether the value is an object of its own, and the slot's record holds no bytes of it. */
export function isBig(encoding: Encoding): boolean {
  return (
    encoding === Encoding.largeRaw ||
    encoding === Encoding.quicklist ||
    encoding === Encoding.setTable ||
    encoding === Encoding.hashTable ||
    encoding === Encoding.skiplist
  );
}
