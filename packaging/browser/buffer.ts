/**
 * Node's Buffer as far as the engine uses it, for where there is none: browsers, workers at the edge. It goes
 * into the file that the export condition `browser` names; in Node the engine has Node's own.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A call takes only so many arguments. */
const CHARS_PER_CALL = 8192;

type Encoding = 'utf8' | 'utf-8' | 'latin1' | 'binary' | 'hex';

function encoded(text: string, encoding: string): Uint8Array {
  switch (encoding as Encoding) {
    case 'utf8':
    case 'utf-8':
      return encoder.encode(text);
    case 'latin1':
    case 'binary': {
      const bytes = new Uint8Array(text.length);
      latin1Into(bytes, text, 0, text.length);
      return bytes;
    }
    case 'hex':
      return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    default:
      throw new TypeError(`Unknown encoding: ${encoding}`);
  }
}

function latin1Into(target: Uint8Array, text: string, offset: number, length: number): number {
  const count = Math.max(0, Math.min(text.length, length, target.length - offset));
  for (let i = 0; i < count; i++) target[offset + i] = text.charCodeAt(i);
  return count;
}

class BrowserBuffer extends Uint8Array {
  // With `new` and without, as callers of Node's do.
  static alloc = function alloc(size: number): BrowserBuffer {
    return new BrowserBuffer(size);
  };
  static allocUnsafe = BrowserBuffer.alloc;
  static allocUnsafeSlow = BrowserBuffer.alloc;

  static override from(
    source: string | ArrayBuffer | ArrayLike<number> | Iterable<number>,
    encodingOrOffset?: unknown,
    length?: unknown,
  ): BrowserBuffer {
    if (typeof source === 'string') {
      const encoding = (encodingOrOffset as string | undefined) ?? 'utf8';
      const { buffer, byteOffset, byteLength } = encoded(source, encoding);
      return new BrowserBuffer(buffer as ArrayBuffer, byteOffset, byteLength);
    }
    if (source instanceof ArrayBuffer)
      return new BrowserBuffer(source, encodingOrOffset as number | undefined, length as number | undefined);
    return new BrowserBuffer(source as ArrayLike<number>);
  }

  static concat(parts: readonly Uint8Array[], total?: number): BrowserBuffer {
    const size = total ?? parts.reduce((sum, part) => sum + part.length, 0);
    const made = new BrowserBuffer(size);
    let at = 0;
    for (const part of parts) {
      if (at >= size) break;
      made.set(part.length > size - at ? part.subarray(0, size - at) : part, at);
      at += part.length;
    }
    return made;
  }

  static isBuffer(value: unknown): boolean {
    return value instanceof BrowserBuffer;
  }

  static byteLength(text: string): number {
    return encoder.encode(text).length;
  }

  private get view(): DataView {
    return new DataView(this.buffer, this.byteOffset, this.byteLength);
  }

  /** The same bytes, not a copy: as Node's. */
  override slice(start?: number, end?: number): BrowserBuffer {
    return this.subarray(start, end) as BrowserBuffer;
  }

  latin1Slice(start = 0, end: number = this.length): string {
    let text = '';
    for (let at = start; at < end; at += CHARS_PER_CALL)
      text += String.fromCharCode(...this.subarray(at, Math.min(end, at + CHARS_PER_CALL)));
    return text;
  }

  latin1Write(text: string, offset = 0, length: number = this.length - offset): number {
    return latin1Into(this, text, offset, length);
  }

  utf8Slice(start = 0, end: number = this.length): string {
    return decoder.decode(this.subarray(start, end));
  }

  utf8Write(text: string, offset = 0, length: number = this.length - offset): number {
    return encoder.encodeInto(text, this.subarray(offset, offset + length)).written;
  }

  override toString(encoding = 'utf8', start = 0, end: number = this.length): string {
    switch (encoding as Encoding) {
      case 'utf8':
      case 'utf-8':
        return this.utf8Slice(start, end);
      case 'latin1':
      case 'binary':
        return this.latin1Slice(start, end);
      case 'hex':
        return Array.from(this.subarray(start, end), (byte) => byte.toString(16).padStart(2, '0')).join('');
      default:
        throw new TypeError(`Unknown encoding: ${encoding}`);
    }
  }

  copy(target: Uint8Array, targetStart = 0, start = 0, end: number = this.length): number {
    const count = Math.max(0, Math.min(end, this.length) - start);
    const fits = Math.min(count, Math.max(0, target.length - targetStart));
    if (fits > 0) target.set(this.subarray(start, start + fits), targetStart);
    return fits;
  }

  compare(
    other: Uint8Array,
    otherStart = 0,
    otherEnd: number = other.length,
    start = 0,
    end: number = this.length,
  ): number {
    const shared = Math.min(otherEnd - otherStart, end - start);
    for (let i = 0; i < shared; i++) {
      const apart = this[start + i]! - other[otherStart + i]!;
      if (apart !== 0) return apart < 0 ? -1 : 1;
    }
    return Math.sign(end - start - (otherEnd - otherStart));
  }

  equals(other: Uint8Array): boolean {
    return this.compare(other) === 0;
  }

  readIntLE(offset: number, byteLength: number): number {
    let value = 0;
    for (let i = 0; i < byteLength; i++) value += this[offset + i]! * 2 ** (8 * i);
    const limit = 2 ** (8 * byteLength);
    return value >= limit / 2 ? value - limit : value;
  }

  readInt8(offset = 0): number {
    return this.view.getInt8(offset);
  }
  readInt16LE(offset = 0): number {
    return this.view.getInt16(offset, true);
  }
  readUInt16LE(offset = 0): number {
    return this.view.getUint16(offset, true);
  }
  readInt32LE(offset = 0): number {
    return this.view.getInt32(offset, true);
  }
  readUInt32LE(offset = 0): number {
    return this.view.getUint32(offset, true);
  }
  readUInt32BE(offset = 0): number {
    return this.view.getUint32(offset);
  }
  readBigInt64LE(offset = 0): bigint {
    return this.view.getBigInt64(offset, true);
  }
  readBigUInt64LE(offset = 0): bigint {
    return this.view.getBigUint64(offset, true);
  }
  readBigUInt64BE(offset = 0): bigint {
    return this.view.getBigUint64(offset);
  }
  readDoubleLE(offset = 0): number {
    return this.view.getFloat64(offset, true);
  }
  writeInt16LE(value: number, offset = 0): number {
    this.view.setInt16(offset, value, true);
    return offset + 2;
  }
  writeUInt16LE(value: number, offset = 0): number {
    this.view.setUint16(offset, value, true);
    return offset + 2;
  }
  writeInt32LE(value: number, offset = 0): number {
    this.view.setInt32(offset, value, true);
    return offset + 4;
  }
  writeUInt32LE(value: number, offset = 0): number {
    this.view.setUint32(offset, value, true);
    return offset + 4;
  }
  writeUInt32BE(value: number, offset = 0): number {
    this.view.setUint32(offset, value);
    return offset + 4;
  }
  writeBigInt64LE(value: bigint, offset = 0): number {
    this.view.setBigInt64(offset, value, true);
    return offset + 8;
  }
  writeBigUInt64LE(value: bigint, offset = 0): number {
    this.view.setBigUint64(offset, value, true);
    return offset + 8;
  }
  writeBigUInt64BE(value: bigint, offset = 0): number {
    this.view.setBigUint64(offset, value);
    return offset + 8;
  }
  writeDoubleLE(value: number, offset = 0): number {
    this.view.setFloat64(offset, value, true);
    return offset + 8;
  }
}

export { BrowserBuffer as Buffer };
