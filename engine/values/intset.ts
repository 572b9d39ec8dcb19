/**
 * Redis's intset, in place: a sorted array of integers of one width, which a set of small integers is held
 * in.
 *
 *     <bytes per element: 2, 4 or 8; 4 bytes> <elements: 4 bytes> <element>...      all little-endian
 *
 * The width grows with the largest element and never shrinks. Functions work on an intset at `start` of a
 * larger buffer and trust its bytes; {@link isValidIntset} is the gate for foreign ones.
 */
import { type Int64, readInt64, writeInt64 } from '../numbers/int64.js';

export const intsetHeaderSize = 8;

/** Writes an empty intset; returns its size. */
export function writeEmptyIntset(buffer: Buffer, start: number): number {
  buffer.writeUInt32LE(2, start);
  buffer.writeUInt32LE(0, start + 4);
  return intsetHeaderSize;
}

/** Bytes per element. */
export function intsetWidth(buffer: Buffer, start: number): number {
  return buffer[start]!;
}

export function intsetCount(buffer: Buffer, start: number): number {
  return buffer.readUInt32LE(start + 4);
}

/** Size in bytes, header included. */
export function intsetSize(buffer: Buffer, start: number): number {
  return intsetHeaderSize + intsetCount(buffer, start) * intsetWidth(buffer, start);
}

/** Bytes that an element of this value needs: 2, 4 or 8. */
export function intsetWidthOf(value: Int64): number {
  if (typeof value === 'bigint') return 8;
  if (value >= -32768 && value <= 32767) return 2;
  return value >= -2147483648 && value <= 2147483647 ? 4 : 8;
}

function readAt(buffer: Buffer, at: number, width: number): Int64 {
  if (width === 2) return buffer.readInt16LE(at);
  if (width === 4) return buffer.readInt32LE(at);
  return readInt64(buffer, at);
}

function writeAt(buffer: Buffer, at: number, width: number, value: Int64): void {
  if (width === 2) buffer.writeInt16LE(value as number, at);
  else if (width === 4) buffer.writeInt32LE(value as number, at);
  else writeInt64(buffer, at, value);
}

/** The element at an index, 0 the smallest. The index must be inside. */
export function intsetElement(buffer: Buffer, start: number, index: number): Int64 {
  const width = intsetWidth(buffer, start);
  return readAt(buffer, start + intsetHeaderSize + index * width, width);
}

/**
 * Looks a value up by bisection.
 *
 * @returns its index, or -1 - i where i is the index at which it would be inserted
 */
export function searchIntset(buffer: Buffer, start: number, value: Int64): number {
  const width = intsetWidth(buffer, start);
  const count = intsetCount(buffer, start);
  if (intsetWidthOf(value) > width) return value < 0 ? -1 : -1 - count;
  const first = start + intsetHeaderSize;
  if (width === 8) return searchWide(buffer, first, count, value);
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const element =
      width === 2 ? buffer.readInt16LE(first + middle * 2) : buffer.readInt32LE(first + middle * 4);
    if (element < (value as number)) low = middle + 1;
    else if (element > (value as number)) high = middle - 1;
    else return middle;
  }
  return -1 - low;
}

/** Compares 64-bit elements by halves, so that the loop makes no bigint. */
function searchWide(buffer: Buffer, first: number, count: number, value: Int64): number {
  let wantedHigh: number;
  let wantedLow: number;
  if (typeof value === 'number') {
    wantedHigh = Math.floor(value / 0x1_0000_0000);
    wantedLow = value - wantedHigh * 0x1_0000_0000;
  } else {
    wantedHigh = Number(value >> 32n);
    wantedLow = Number(value & 0xffff_ffffn);
  }
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const at = first + middle * 8;
    const difference = buffer.readInt32LE(at + 4) - wantedHigh || buffer.readUInt32LE(at) - wantedLow;
    if (difference < 0) low = middle + 1;
    else if (difference > 0) high = middle - 1;
    else return middle;
  }
  return -1 - low;
}

/**
 * Size that the intset will have once `value`, which it lacks, is inserted: what {@link insertIntset} needs
 * room for.
 */
export function intsetSizeWith(buffer: Buffer, start: number, value: Int64): number {
  const width = Math.max(intsetWidth(buffer, start), intsetWidthOf(value));
  return intsetHeaderSize + (intsetCount(buffer, start) + 1) * width;
}

/**
 * Inserts a value that the intset lacks, at the index that {@link searchIntset} told, widening all elements
 * if the value needs it. The buffer must have room for {@link intsetSizeWith} bytes from `start`.
 *
 * @returns the new size
 */
export function insertIntset(buffer: Buffer, start: number, index: number, value: Int64): number {
  const width = intsetWidth(buffer, start);
  const count = intsetCount(buffer, start);
  const first = start + intsetHeaderSize;
  const newWidth = Math.max(width, intsetWidthOf(value));
  if (newWidth === width) {
    buffer.copyWithin(first + (index + 1) * width, first + index * width, first + count * width);
  } else {
    // From the last: a wider element ends behind where the narrow ones before it lie. A value that widens is
    // the new first or the new last.
    for (let i = count - 1; i >= 0; i--) {
      const element = readAt(buffer, first + i * width, width);
      writeAt(buffer, first + (i < index ? i : i + 1) * newWidth, newWidth, element);
    }
    buffer.writeUInt32LE(newWidth, start);
  }
  writeAt(buffer, first + index * newWidth, newWidth, value);
  buffer.writeUInt32LE(count + 1, start + 4);
  return intsetHeaderSize + (count + 1) * newWidth;
}

/** Removes the element at an index; returns the new size. The width stays. */
export function removeFromIntset(buffer: Buffer, start: number, index: number): number {
  const width = intsetWidth(buffer, start);
  const count = intsetCount(buffer, start);
  const first = start + intsetHeaderSize;
  buffer.copyWithin(first + index * width, first + (index + 1) * width, first + count * width);
  buffer.writeUInt32LE(count - 1, start + 4);
  return intsetHeaderSize + (count - 1) * width;
}

/**
 * Whether `length` bytes are one well-formed intset: known width, exact size, not empty, strictly ascending.
 */
export function isValidIntset(buffer: Buffer, start: number, length: number): boolean {
  if (length < intsetHeaderSize) return false;
  const width = buffer.readUInt32LE(start);
  if (width !== 2 && width !== 4 && width !== 8) return false;
  const count = intsetCount(buffer, start);
  if (count === 0 || intsetHeaderSize + count * width !== length) return false;
  let previous = intsetElement(buffer, start, 0);
  for (let index = 1; index < count; index++) {
    const element = intsetElement(buffer, start, index);
    if (element <= previous) return false;
    previous = element;
  }
  return true;
}
