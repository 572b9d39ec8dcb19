/**
 * Reader of zipmaps, which Redis before 2.6 packed small hashes in. They come in by RESTORE only.
 *
 *     <fields: 1 byte, 254 and up = unknown> { <length> field <length> <free: 1 byte> value <free bytes> }... <0xff>
 *     length = 1 byte below 254, or 254 and 4 bytes little-endian
 */
import { textOf } from '../protocol/view.js';

const endMark = 0xff;

/** Reads the length at `at`, or returns -1 when it doesn't fit before `last`. */
function readLength(buffer: Buffer, at: number, last: number): number {
  if (at >= last) return -1;
  const first = buffer[at]!;
  if (first < 254) return first;
  return first === 254 && last - at >= 5 ? buffer.readUInt32LE(at + 1) : -1;
}

/**
 * Reads a zipmap with every check. Reads nothing outside the range.
 *
 * @returns field, value, field, value, ... as latin1 strings, or undefined when malformed or empty
 */
export function readZipmap(buffer: Buffer, start: number, length: number): string[] | undefined {
  if (length < 2) return undefined;
  const last = start + length - 1;
  if (buffer[last] !== endMark) return undefined;
  const texts: string[] = [];
  let at = start + 1;
  while (at < last) {
    const fieldLength = readLength(buffer, at, last);
    if (fieldLength < 0) return undefined;
    at += buffer[at]! < 254 ? 1 : 5;
    if (fieldLength >= last - at) return undefined;
    texts.push(textOf(buffer, at, at + fieldLength));
    at += fieldLength;
    const valueLength = readLength(buffer, at, last);
    if (valueLength < 0) return undefined;
    at += buffer[at]! < 254 ? 1 : 5;
    if (at >= last) return undefined;
    const free = buffer[at]!;
    at += 1;
    if (valueLength + free > last - at) return undefined;
    texts.push(textOf(buffer, at, at + valueLength));
    at += valueLength + free;
  }
  if (at !== last || texts.length === 0) return undefined;
  const count = buffer[start]!;
  return count < 254 && count !== texts.length / 2 ? undefined : texts;
}
