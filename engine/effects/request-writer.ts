/** Gathers requests as RESP, one behind the other. */
import type { Request } from '../protocol/request.js';
import { copyBytes, View, writeLatin1 } from '../protocol/view.js';

const KEPT_BYTES = 1 << 20;
/** Digits of a count or a length, and what frames them. */
const LINE_BYTES = 16;

/** Strings are latin1. */
export type Word = string | Buffer | View;

export class RequestWriter {
  private buffer = Buffer.allocUnsafeSlow(4096);
  private used = 0;

  get length(): number {
    return this.used;
  }

  /** What was gathered; valid until the next request. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.used);
  }

  clear(): void {
    this.used = 0;
    if (this.buffer.length > KEPT_BYTES) this.buffer = Buffer.allocUnsafeSlow(4096);
  }

  /** A request as it came. */
  verbatim(request: Request): void {
    this.line('*', request.count);
    for (let i = 0; i < request.count; i++) {
      if (i === 0 && request.writtenName !== undefined) this.word(request.writtenName);
      else this.range(request.buffer, request.offsets[i << 1]!, request.offsets[(i << 1) + 1]!);
    }
  }

  request(words: readonly Word[]): void {
    this.line('*', words.length);
    for (const word of words) this.word(word);
  }

  private word(word: Word): void {
    if (word instanceof View) this.range(word.buffer, word.start, word.end);
    else if (typeof word !== 'string') this.range(word, 0, word.length);
    else {
      this.line('$', word.length);
      this.reserve(word.length + 2);
      writeLatin1(word, this.buffer, this.used);
      this.used += word.length;
      this.lineEnd();
    }
  }

  private range(source: Buffer, start: number, end: number): void {
    this.line('$', end - start);
    this.reserve(end - start + 2);
    copyBytes(source, start, this.buffer, this.used, end - start);
    this.used += end - start;
    this.lineEnd();
  }

  private line(mark: string, value: number): void {
    this.reserve(LINE_BYTES);
    this.used += this.buffer.latin1Write(`${mark}${value}\r\n`, this.used);
  }

  private lineEnd(): void {
    this.buffer[this.used++] = 13;
    this.buffer[this.used++] = 10;
  }

  private reserve(length: number): void {
    if (this.used + length <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.used + length));
    this.buffer.copy(grown, 0, 0, this.used);
    this.buffer = grown;
  }
}
