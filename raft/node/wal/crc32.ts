/**
 * CRC-32 (ISO-HDLC, the one of zlib and PNG) over a part of a buffer. Native from Node 20.15 on; a call into
 * it costs some 200 ns, so that short pieces and older releases use tables here (slicing by four).
 */
import zlib from 'node:zlib';

/** Below this length the tables are faster than the native call. */
const nativeFromBytes = 160;

const tables = makeTables();

function makeTables(): Int32Array {
  const made = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    made[byte] = value;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let slice = 1; slice < 4; slice++) {
      const before = made[(slice - 1) * 256 + byte]!;
      made[slice * 256 + byte] = (before >>> 8) ^ made[before & 255]!;
    }
  }
  return made;
}

/** Checksum of bytes `start` to `end` (exclusive), continuing from `seed`; an unsigned 32-bit integer. */
export function crc32(bytes: Uint8Array, start: number, end: number, seed: number): number {
  if (end - start >= nativeFromBytes) {
    // Looked up here: who writes no log need not load zlib.
    const native = zlib.crc32 as typeof zlib.crc32 | undefined;
    if (native !== undefined) return native(bytes.subarray(start, end), seed);
  }
  return crc32ByTable(bytes, start, end, seed);
}

/** The same without the native function. */
export function crc32ByTable(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let crc = ~seed;
  let at = start;
  for (; end - at >= 4; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      tables[768 + (crc & 255)]! ^
      tables[512 + ((crc >>> 8) & 255)]! ^
      tables[256 + ((crc >>> 16) & 255)]! ^
      tables[crc >>> 24]!;
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}
