/**
 * A snapshot of the engine: a CBOR sequence (RFC 8742) of arrays, each beginning with its kind. Records are
 * bounded in size, but for a single value's bytes.
 *
 *     [header, format, applied index, logged time, position, settings [name, value, ...], databases [id, size, flushed at, ...],
 *             behaviour level]      format 2; without one, format 1: the first level
 *     [keys, database, (slot, key, encoding, deadline, value | [object, size]) ...]
 *     [pieces, object, (at, first, second) ...]          behind the key that owns the object
 *     [marks, (bucket, position) ...]                    last writes, for WATCH
 *     [waiter, node id, start id, counter, database, deadline, type, request, key ...]      in order of arrival
 *     [userWaiter, user, then as of waiter]              who waits for a user that is not the default one
 *     [user, name, rule ...]                             in the order of their names; none while nobody has changed them
 *     [script, source]                                  the cache, the script that has not run for longest first
 *     [library, code]                                   of functions, in the order in which they were loaded
 *     [footer, records before it, digest]
 *
 * Keys and pieces come in any order: they name their places. Doubles that are not integers do not occur:
 * scores are kept as the bytes of their element.
 */
// Not 'cbor-x' itself, which loads a native addon that speeds up text: here all is bytes.
import { Encoder } from 'cbor-x/encode';

/** Of a snapshot that names a behaviour level, and of one that does not. */
const FORMATS = [1, 2];

/** @param level what {@link Behaviour.written} says */
export const formatOf = (level: readonly number[]): number => FORMATS[level.length]!;

/** Why a snapshot of a format cannot be read, or undefined. */
export const refuseFormat = (format: unknown): string | undefined =>
  FORMATS.includes(format as number)
    ? undefined
    : `snapshot format ${format}, this release reads ${FORMATS.join(' and ')}`;

export const RecordKind = {
  header: 0,
  keys: 1,
  pieces: 2,
  marks: 3,
  waiter: 4,
  footer: 5,
  user: 6,
  script: 7,
  library: 8,
  userWaiter: 9,
} as const;

/** Arrays only, byte strings untagged. */
export const cbor = new Encoder({ useRecords: false, tagUint8Array: false, variableMapSize: true });
