/** Numbers of the RDB format, version 10 (Redis 7.0), as far as a DUMP payload can hold them. */

export const rdbVersion = 10;
/** That of Redis 7.2, of which its forms of sets and streams are read, too. */
const version7dot2 = 11;

/** The first byte of a payload: which type, in which encoding. */
export const RdbType = {
  string: 0,
  list: 1,
  set: 2,
  /** Scores as decimal text. */
  zset: 3,
  hash: 4,
  /** Scores as binary doubles. */
  zset2: 5,
  hashZipmap: 9,
  listZiplist: 10,
  setIntset: 11,
  zsetZiplist: 12,
  hashZiplist: 13,
  /** Nodes are ziplists. */
  listQuicklist: 14,
  /** Redis 5: nodes, groups. */
  streamListpacks: 15,
  hashListpack: 16,
  zsetListpack: 17,
  /** Nodes are listpacks, or plain strings. */
  listQuicklist2: 18,
  /** Redis 7.0: first and greatest deleted id, counts of entries added and read besides. */
  streamListpacks2: 19,
  /** Redis 7.2. */
  setListpack: 20,
  /** Redis 7.2: a consumer's last activity besides. */
  streamListpacks3: 21,
} as const;

/** The version that a payload of a type needs at least. */
export function versionOfType(type: number): number {
  return type === RdbType.setListpack || type === RdbType.streamListpacks3 ? version7dot2 : rdbVersion;
}

/** What a quicklist node holds. */
export const QuicklistContainer = { plain: 1, packed: 2 } as const;

/** Behind a length byte 11xxxxxx: how a string is encoded. */
export const StringEncoding = { int8: 0, int16: 1, int32: 2, lzf: 3 } as const;

/** Footer of a payload: RDB version (2 bytes) and CRC-64 (8 bytes), both little-endian. */
export const footerSize = 10;

/**
 * No string is longer: the limit of what V8 holds as one, 24 bytes short of Redis's default
 * proto-max-bulk-len.
 */
export const stringSizeMax = 512 * 1024 * 1024 - 24;
