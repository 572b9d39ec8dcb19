/**
 * An incremental parser of replies, RESP2 and RESP3, that keeps what redis-parser folds together: `+OK` and
 * `$2 OK`, `$-1` and `*-1`, the digits of a double. It trusts nothing: a stream that is not RESP throws.
 */
import type { Reply } from './reply.js';

/** Thrown when the bytes are not a RESP reply. */
export class ReplySyntaxError extends Error {}

const CR = 13;
const LF = 10;

/** Raised inside when the bytes end before the reply does. */
const incomplete = Symbol('incomplete');

/** `_` and its line end. */
const SHORTEST_REPLY_BYTES = 3;

/** Feeds on chunks in any split, hands out whole replies. */
export class ReplyParser {
  private buffer: Buffer = Buffer.alloc(0);
  private offset = 0;
  /** Chunks not yet joined: a large reply is joined once enough of it has come, not at every chunk. */
  private waiting: Buffer[] = [];
  private waitingLength = 0;
  private wantedLength = 0;
  /** How many bytes an incomplete reply lacks at the least. */
  private missing = 0;

  /** Bytes received that belong to no complete reply yet. */
  get pendingLength(): number {
    return this.buffer.length - this.offset + this.waitingLength;
  }

  /**
   * Takes the next bytes of the stream.
   * @returns the replies which they complete
   * @throws ReplySyntaxError where the stream is not RESP
   */
  feed(chunk: Buffer): Reply[] {
    this.waiting.push(chunk);
    this.waitingLength += chunk.length;
    if (this.pendingLength < this.wantedLength) return [];
    this.buffer = Buffer.concat([this.buffer.subarray(this.offset), ...this.waiting]);
    this.offset = 0;
    this.waiting = [];
    this.waitingLength = 0;
    const replies: Reply[] = [];
    while (this.offset < this.buffer.length) {
      const start = this.offset;
      this.missing = 0;
      try {
        replies.push(this.reply());
      } catch (error) {
        if (error !== incomplete) throw error;
        this.offset = start;
        // No attempt before the reply can be whole, so that a huge one costs about linear time in all.
        this.wantedLength = this.pendingLength + Math.max(1, this.missing);
        return replies;
      }
      this.wantedLength = 0;
    }
    return replies;
  }

  private line(): string {
    const end = this.buffer.indexOf(LF, this.offset);
    if (end < 0) throw incomplete;
    if (end === this.offset || this.buffer[end - 1] !== CR) {
      throw new ReplySyntaxError(`a line of the reply ends without CR: ${this.excerpt()}`);
    }
    const text = this.buffer.toString('latin1', this.offset, end - 1);
    this.offset = end + 1;
    return text;
  }

  private excerpt(): string {
    return JSON.stringify(this.buffer.toString('latin1', this.offset, this.offset + 40));
  }

  private count(text: string): number {
    if (!/^(-1|\d{1,10})$/.test(text)) throw new ReplySyntaxError(`not a length: ${JSON.stringify(text)}`);
    return Number(text);
  }

  private blob(length: number): string {
    if (length < 0) throw new ReplySyntaxError('a negative length where none is allowed');
    const end = this.offset + length;
    if (this.buffer.length < end + 2) {
      this.missing = end + 2 - this.buffer.length;
      throw incomplete;
    }
    if (this.buffer[end] !== CR || this.buffer[end + 1] !== LF) {
      throw new ReplySyntaxError(`a string of ${length} bytes is not followed by CRLF: ${this.excerpt()}`);
    }
    const text = this.buffer.toString('latin1', this.offset, end);
    this.offset = end + 2;
    return text;
  }

  private items(length: number): Reply[] {
    if (length < 0) throw new ReplySyntaxError('a negative count where none is allowed');
    const items: Reply[] = [];
    for (let index = 0; index < length; index++) items.push(this.member(length - index - 1));
    return items;
  }

  private entries(length: number): [Reply, Reply][] {
    if (length < 0) throw new ReplySyntaxError('a negative count where none is allowed');
    const entries: [Reply, Reply][] = [];
    for (let index = 0; index < length; index++) {
      const behind = 2 * (length - index - 1);
      entries.push([this.member(behind + 1), this.member(behind)]);
    }
    return entries;
  }

  /** A reply within another, with so many more to come behind it. */
  private member(behind: number): Reply {
    try {
      return this.reply();
    } catch (error) {
      if (error === incomplete) this.missing += behind * SHORTEST_REPLY_BYTES;
      throw error;
    }
  }

  private reply(): Reply {
    if (this.offset >= this.buffer.length) throw incomplete;
    const marker = String.fromCharCode(this.buffer[this.offset]!);
    if (!'+-:$*_,#=(%~>|!'.includes(marker)) {
      throw new ReplySyntaxError(`no reply starts with ${this.excerpt()}`);
    }
    this.offset++;
    const rest = this.line();
    switch (marker) {
      case '+':
        return { type: 'simple', text: rest };
      case '-':
        return { type: 'error', text: rest };
      case ':':
        if (!/^-?\d+$/.test(rest)) throw new ReplySyntaxError(`not an integer: ${JSON.stringify(rest)}`);
        return { type: 'integer', text: rest };
      case ',':
        return { type: 'double', text: rest };
      case '(':
        return { type: 'big number', text: rest };
      case '#':
        if (rest !== 't' && rest !== 'f')
          throw new ReplySyntaxError(`not a boolean: ${JSON.stringify(rest)}`);
        return { type: 'boolean', value: rest === 't' };
      case '_':
        if (rest !== '') throw new ReplySyntaxError(`not a null: ${JSON.stringify(rest)}`);
        return { type: 'null', form: 'resp3' };
      case '$': {
        const length = this.count(rest);
        return length < 0 ? { type: 'null', form: 'bulk' } : { type: 'bulk', text: this.blob(length) };
      }
      case '!':
        return { type: 'blob error', text: this.blob(this.count(rest)) };
      case '=': {
        const text = this.blob(this.count(rest));
        if (text[3] !== ':') throw new ReplySyntaxError('a verbatim string without its format');
        return { type: 'verbatim', format: text.slice(0, 3), text: text.slice(4) };
      }
      case '*': {
        const length = this.count(rest);
        return length < 0 ? { type: 'null', form: 'array' } : { type: 'array', items: this.items(length) };
      }
      case '~':
        return { type: 'set', items: this.items(this.count(rest)) };
      case '>':
        return { type: 'push', items: this.items(this.count(rest)) };
      case '%':
        return { type: 'map', entries: this.entries(this.count(rest)) };
      default:
        return { type: 'attribute', entries: this.entries(this.count(rest)) };
    }
  }
}
