/**
 * The string in which Redis keeps a HyperLogLog of 2^14 registers of 6 bits.
 *
 *     "HYLL" <encoding: 0 dense, 1 sparse> <3 unused bytes> <cached cardinality: 8 bytes, little-endian> <registers>
 *
 * The top bit of the cached cardinality says that it is stale. Dense registers are packed from the lowest bit
 * of the first byte on. Sparse ones are runs: 00llllll, l + 1 zeros; 01llllll llllllll, l + 1 zeros;
 * 1vvvvvll, l + 1 times the value v + 1.
 */
import type { Int64 } from '../../numbers/int64.js';
import { readInt64 } from '../../numbers/int64.js';

export const registerCount = 16384;
export const headerSize = 16;
export const denseSize = headerSize + (registerCount * 6) / 8;

const magic = 0x4c4c5948;
const encodingAt = 4;
const cardinalityAt = 8;
const staleAt = 15;

export const Encoding = { dense: 0, sparse: 1 } as const;

/**
 * Whether bytes are taken for a HyperLogLog: magic, known encoding, and the exact size if dense. Runs of the
 * sparse form are only checked by what walks them.
 */
export function isHyperLogLog(buffer: Buffer, start: number, length: number): boolean {
  if (length < headerSize || buffer.readUInt32LE(start) !== magic) return false;
  const encoding = buffer[start + encodingAt]!;
  return encoding === Encoding.sparse || (encoding === Encoding.dense && length === denseSize);
}

export function isDense(buffer: Buffer, start: number): boolean {
  return buffer[start + encodingAt] === Encoding.dense;
}

/** A new, empty one: sparse, a single run of zeros; its cached cardinality, 0, is valid. */
export function emptyHyperLogLog(): Buffer {
  const bytes = Buffer.alloc(headerSize + 2);
  writeHeader(bytes, Encoding.sparse);
  bytes[headerSize] = 0x7f;
  bytes[headerSize + 1] = 0xff;
  return bytes;
}

function writeHeader(bytes: Buffer, encoding: number): void {
  bytes.writeUInt32LE(magic, 0);
  bytes[encodingAt] = encoding;
}

/** Marks the cached cardinality as stale. */
export function invalidateCardinality(buffer: Buffer, start: number): void {
  buffer[start + staleAt] = buffer[start + staleAt]! | 0x80;
}

/** The cached cardinality, or undefined when stale. */
export function cachedCardinality(buffer: Buffer, start: number): Int64 | undefined {
  return buffer[start + staleAt]! >= 0x80 ? undefined : readInt64(buffer, start + cardinalityAt);
}

/** Where the cached cardinality lies, for the one who writes it. */
export function cardinalityPosition(start: number): number {
  return start + cardinalityAt;
}

/** Register of a dense HyperLogLog that begins at `start`. */
export function denseRegister(buffer: Buffer, start: number, index: number): number {
  const bit = index * 6;
  const at = start + headerSize + (bit >> 3);
  const shift = bit & 7;
  // The last register ends with its byte: no byte behind the value is read.
  if (shift <= 2) return (buffer[at]! >> shift) & 63;
  return ((buffer[at]! >> shift) | (buffer[at + 1]! << (8 - shift))) & 63;
}

export function setDenseRegister(buffer: Buffer, start: number, index: number, value: number): void {
  const bit = index * 6;
  const at = start + headerSize + (bit >> 3);
  const shift = bit & 7;
  buffer[at] = (buffer[at]! & ~(63 << shift)) | (value << shift);
  if (shift > 2) buffer[at + 1] = (buffer[at + 1]! & ~(63 >> (8 - shift))) | (value >> (8 - shift));
}

/**
 * Registers that a sparse run at `at` covers. A second byte that is cut off by the value's end counts as 0,
 * as in Redis.
 */
export function runLength(buffer: Buffer, at: number, end: number): number {
  const lead = buffer[at]!;
  if (lead >= 0x80) return (lead & 3) + 1;
  if (lead < 0x40) return lead + 1;
  return (((lead & 0x3f) << 8) | (at + 1 < end ? buffer[at + 1]! : 0)) + 1;
}

/** Bytes of a sparse run. */
export function runSize(buffer: Buffer, at: number): number {
  const lead = buffer[at]!;
  return lead >= 0x40 && lead < 0x80 ? 2 : 1;
}

/** Value that the registers of a sparse run have, 0 to 32. */
export function runValue(buffer: Buffer, at: number): number {
  const lead = buffer[at]!;
  return lead >= 0x80 ? ((lead >> 2) & 31) + 1 : 0;
}

/**
 * Unpacks all registers, a byte each.
 *
 * @returns false when sparse runs don't cover exactly all registers
 */
export function unpackRegisters(buffer: Buffer, start: number, length: number, registers: Buffer): boolean {
  if (isDense(buffer, start)) {
    let at = start + headerSize;
    for (let index = 0; index < registerCount; index += 4) {
      const three = buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16);
      registers[index] = three & 63;
      registers[index + 1] = (three >> 6) & 63;
      registers[index + 2] = (three >> 12) & 63;
      registers[index + 3] = three >> 18;
      at += 3;
    }
    return true;
  }
  const end = start + length;
  let index = 0;
  for (let at = start + headerSize; at < end; ) {
    const run = runLength(buffer, at, end);
    if (index + run > registerCount) return false;
    registers.fill(runValue(buffer, at), index, index + run);
    index += run;
    at += runSize(buffer, at);
  }
  return index === registerCount;
}

/** The dense form of a sparse HyperLogLog, header kept; undefined when its runs are corrupt. */
export function toDense(buffer: Buffer, start: number, length: number): Buffer | undefined {
  const registers = Buffer.alloc(registerCount);
  if (!unpackRegisters(buffer, start, length, registers)) return undefined;
  const dense = Buffer.alloc(denseSize);
  buffer.copy(dense, 0, start, start + headerSize);
  dense[encodingAt] = Encoding.dense;
  for (let index = 0; index < registerCount; index++) {
    if (registers[index] !== 0) setDenseRegister(dense, 0, index, registers[index]!);
  }
  return dense;
}

/** The runs of a sparse HyperLogLog as PFDEBUG DECODE tells them: "Z:16384", "z:5 v:1,2 z:9 ...". */
export function describeRuns(buffer: Buffer, start: number, length: number): string {
  const runs: string[] = [];
  const end = start + length;
  for (let at = start + headerSize; at < end; at += runSize(buffer, at)) {
    const lead = buffer[at]!;
    const run = runLength(buffer, at, end);
    runs.push(lead >= 0x80 ? `v:${runValue(buffer, at)},${run}` : lead < 0x40 ? `z:${run}` : `Z:${run}`);
  }
  return runs.join(' ');
}
