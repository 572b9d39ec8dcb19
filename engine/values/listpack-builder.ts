import type { Int64 } from '../numbers/int64.js';
import {
  listpackEmptySize,
  listpackHeaderSize,
  listpackSizeOfBytes,
  listpackSizeOfInteger,
  listpackSizeOfText,
  writeListpackBytes,
  writeListpackInteger,
  writeListpackText,
} from './listpack.js';

/**
 * Builds a listpack by appending, in a buffer that grows; {@link take} hands it out and starts the next one.
 */
export class ListpackBuilder {
  private buffer: Buffer;
  private end = listpackHeaderSize;
  private elements = 0;

  constructor(capacity = 256) {
    this.buffer = Buffer.allocUnsafe(Math.max(capacity, listpackEmptySize));
  }

  /** Elements appended since the last {@link take}. */
  get count(): number {
    return this.elements;
  }

  /** Size that the listpack has, end mark included. */
  get size(): number {
    return this.end + 1;
  }

  appendText(text: string): void {
    this.reserve(listpackSizeOfText(text));
    this.end += writeListpackText(this.buffer, this.end, text);
    this.elements++;
  }

  appendBytes(bytes: Buffer, start: number, length: number): void {
    this.reserve(listpackSizeOfBytes(bytes, start, length));
    this.end += writeListpackBytes(this.buffer, this.end, bytes, start, length);
    this.elements++;
  }

  appendInteger(value: Int64): void {
    this.reserve(listpackSizeOfInteger(value));
    this.end += writeListpackInteger(this.buffer, this.end, value);
    this.elements++;
  }

  private reserve(size: number): void {
    const needed = this.end + size + 1;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.end);
    this.buffer = grown;
  }

  /** A copy of the finished listpack, in a buffer of its own; the builder is empty afterwards. */
  take(): Buffer {
    this.buffer[this.end] = 0xff;
    const listpack = Buffer.from(this.buffer.subarray(0, this.size));
    listpack.writeUInt32LE(listpack.length, 0);
    listpack.writeUInt16LE(Math.min(this.elements, 65535), 4);
    this.end = listpackHeaderSize;
    this.elements = 0;
    return listpack;
  }
}
