/**
 * Reader of ziplists, which Redis before 7.0 packed small values in. They come in by RESTORE only.
 *
 *     <bytes: 4> <offset of the last entry: 4> <entries: 2, 65535 = unknown> <entry>... <0xff>      little-endian
 *     entry = <size of the entry before: 1 byte, or 254 and 4 bytes> <encoding> <data>
 */

import { readInt64 } from '../numbers/int64.js';
import { textOf } from '../protocol/view.js';

const headerSize = 10;
const endMark = 0xff;

/**
 * Reads a ziplist with every check: sizes, back links, tail offset, count. Reads nothing outside the range.
 *
 * @returns the entries as latin1 strings (integers as digits), or undefined when malformed
 */
export function readZiplist(buffer: Buffer, start: number, length: number): string[] | undefined {
  if (length < headerSize + 1 || buffer.readUInt32LE(start) !== length) return undefined;
  const last = start + length - 1;
  if (buffer[last] !== endMark) return undefined;
  const entries: string[] = [];
  let at = start + headerSize;
  let previousAt = at;
  let previousSize = 0;
  while (at < last) {
    const entryAt = at;
    let linked = buffer[at]!;
    if (linked === endMark) return undefined;
    if (linked === 254) {
      if (last - at < 5) return undefined;
      linked = buffer.readUInt32LE(at + 1);
      at += 5;
    } else {
      at += 1;
    }
    if (linked !== previousSize || at >= last) return undefined;
    const encoding = buffer[at]!;
    if (encoding < 0xc0) {
      const lead = encoding < 0x40 ? 1 : encoding < 0x80 ? 2 : 5;
      if (last - at < lead) return undefined;
      const size =
        lead === 1
          ? encoding & 0x3f
          : lead === 2
            ? ((encoding & 0x3f) << 8) | buffer[at + 1]!
            : buffer.readUInt32BE(at + 1);
      if (size > last - at - lead) return undefined;
      entries.push(textOf(buffer, at + lead, at + lead + size));
      at += lead + size;
    } else {
      const width = integerWidth(encoding);
      if (width < 0 || last - at - 1 < width) return undefined;
      entries.push(readInteger(buffer, at, encoding));
      at += 1 + width;
    }
    previousAt = entryAt;
    previousSize = at - entryAt;
  }
  if (at !== last) return undefined;
  const count = buffer.readUInt16LE(start + 8);
  if (count !== 65535 && count !== entries.length) return undefined;
  if (entries.length > 0 && start + buffer.readUInt32LE(start + 4) !== previousAt) return undefined;
  return entries;
}

/** Data bytes behind an integer's encoding byte, or -1 for an unknown one. */
function integerWidth(encoding: number): number {
  switch (encoding) {
    case 0xc0:
      return 2;
    case 0xd0:
      return 4;
    case 0xe0:
      return 8;
    case 0xf0:
      return 3;
    case 0xfe:
      return 1;
    default:
      return encoding >= 0xf1 && encoding <= 0xfd ? 0 : -1;
  }
}

function readInteger(buffer: Buffer, at: number, encoding: number): string {
  switch (encoding) {
    case 0xc0:
      return `${buffer.readInt16LE(at + 1)}`;
    case 0xd0:
      return `${buffer.readInt32LE(at + 1)}`;
    case 0xe0:
      return `${readInt64(buffer, at + 1)}`;
    case 0xf0:
      return `${buffer.readIntLE(at + 1, 3)}`;
    case 0xfe:
      return `${buffer.readInt8(at + 1)}`;
    default:
      return `${(encoding & 0x0f) - 1}`;
  }
}
