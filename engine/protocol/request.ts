/**
 * One command as it came off the wire: a buffer and where in it each argument lies. Nothing is copied and
 * nothing allocated per argument; a handler slices only what it keeps. One Request is reused for many
 * commands.
 */

import { type Int64, int64TextLengthMax, parseInt64Bytes, writeInt64Text } from '../numbers/int64.js';
import { errors } from './errors.js';
import type { ErrorReply } from './reply.js';
import { numberTextOf, textOf, View, writeLatin1 } from './view.js';

const empty = Buffer.alloc(0);

/** Offsets kept between requests; more are given back after a request that needed them. */
const KEPT_OFFSETS = 2048;
const POOLED_VIEWS = 16;
const OPTION_BYTES_MAX = 64;

export class Request {
  buffer: Buffer = empty;
  /** Number of arguments, the command's name included. */
  count = 0;
  /** Start and end of each argument in turn. */
  offsets = new Int32Array(64);
  private readonly views: View[] = [];

  constructor() {
    for (let i = 0; i < POOLED_VIEWS; i++) this.views.push(new View());
  }

  /** The command's name as the client wrote it. */
  get name(): string {
    return this.writtenName ?? this.latin1(0);
  }

  /** The name, where argument 0 is left empty because its text was enough to find the command. */
  writtenName: string | undefined;

  /** What the arguments take, with what frames them. */
  get byteLength(): number {
    return this.count === 0 ? 0 : this.offsets[(this.count << 1) - 1] - this.offsets[0];
  }

  /** Starts over with no arguments, on `buffer`. */
  reset(buffer: Buffer): void {
    if (this.buffer !== buffer) this.buffer = buffer;
    this.writtenName = undefined;
    this.count = 0;
    if (this.offsets.length > KEPT_OFFSETS) this.offsets = new Int32Array(KEPT_OFFSETS);
  }

  /** Appends an argument that lies at `start`..`end` of the buffer. */
  push(start: number, end: number): void {
    const at = this.count++ << 1;
    if (at === this.offsets.length) {
      const grown = new Int32Array(this.offsets.length * 2);
      grown.set(this.offsets);
      this.offsets = grown;
    }
    this.offsets[at] = start;
    this.offsets[at + 1] = end;
  }

  /** Makes room for `count` arguments, whose offsets the caller fills in. */
  reserve(count: number): Int32Array {
    this.count = count;
    if (count << 1 > this.offsets.length) {
      let length = this.offsets.length;
      while (count << 1 > length) length *= 2;
      this.offsets = new Int32Array(length);
    }
    return this.offsets;
  }

  /**
   * A view of argument `index`. The first sixteen arguments have one view each, reused by the next request.
   */
  view(index: number): View {
    const view = index < POOLED_VIEWS ? this.views[index] : new View();
    return view.on(this.buffer, this.offsets[index << 1], this.offsets[(index << 1) + 1]);
  }

  /** At most the first `bytesMax` bytes of an argument, as latin1. */
  head(index: number, bytesMax: number): string {
    if (index === 0 && this.writtenName !== undefined) return this.writtenName.slice(0, bytesMax);
    const start = this.offsets[index << 1];
    return textOf(this.buffer, start, Math.min(this.offsets[(index << 1) + 1], start + bytesMax));
  }

  /** Bytes of argument `index`. */
  length(index: number): number {
    return this.offsets[(index << 1) + 1] - this.offsets[index << 1];
  }

  /** Argument `index` as a flat latin1 string. Throws an error reply past TEXT_BYTES_MAX. */
  latin1(index: number): string {
    return textOf(this.buffer, this.offsets[index << 1], this.offsets[(index << 1) + 1]);
  }

  /**
   * Argument `index` in upper case, for comparing with option words; empty where it is longer than any of
   * them.
   */
  option(index: number): string {
    return this.length(index) > OPTION_BYTES_MAX ? '' : this.latin1(index).toUpperCase();
  }

  /** Argument `index` as {@link View.numberText}. */
  numberText(index: number): string {
    return numberTextOf(this.buffer, this.offsets[index << 1], this.offsets[(index << 1) + 1]);
  }

  /** Whether argument `index` is the word `upper` (ASCII upper case) in any case. */
  is(index: number, upper: string): boolean {
    const start = this.offsets[index << 1];
    if (this.offsets[(index << 1) + 1] - start !== upper.length) return false;
    for (let i = 0; i < upper.length; i++) {
      let byte = this.buffer[start + i];
      if (byte >= 0x61 && byte <= 0x7a) byte -= 0x20;
      if (byte !== upper.charCodeAt(i)) return false;
    }
    return true;
  }

  /** Argument `index` as a canonical 64-bit integer, or undefined. */
  int64OrUndefined(index: number): Int64 | undefined {
    const start = this.offsets[index << 1];
    return parseInt64Bytes(this.buffer, start, this.offsets[(index << 1) + 1] - start);
  }

  /** Argument `index` as a 64-bit integer. Throws `ERR value is not an integer or out of range`. */
  int64(index: number): Int64 {
    const value = this.int64OrUndefined(index);
    if (value === undefined) throw errors.notInteger;
    return value;
  }

  /**
   * Argument `index` as a 32-bit integer. Throws `message` when it is none, or Redis's own words.
   */
  int32(index: number, message?: ErrorReply): number {
    const value = this.int64OrUndefined(index);
    if (value === undefined) throw message ?? errors.notInteger;
    if (value < -0x80000000 || value > 0x7fffffff) throw message ?? errors.notInt32;
    return Number(value);
  }

  /**
   * Argument `index` as a number for positions and counts: a 64-bit integer, those past 2^53 given as the
   * nearest double, which compares with any length as the exact value would. Throws as {@link int64}.
   */
  integer(index: number): number {
    return Number(this.int64(index));
  }
}

/** What callers inside the process give for an argument. */
export type Argument = string | number | bigint | Uint8Array;

const argumentTypes = 'an argument is a string, a number, a bigint or a Uint8Array';

function nameOfType(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value === null ? null : typeof value);
  return Array.isArray(value) ? 'an array' : 'an object';
}

/** Fills a Request from strings (latin1) and bytes: for callers inside the process. */
export class RequestBuilder {
  readonly request = new Request();
  private buffer = Buffer.allocUnsafeSlow(1024);
  private used = 0;

  start(): this {
    this.used = 0;
    if (this.buffer.length > 1 << 20) this.buffer = Buffer.allocUnsafeSlow(1024);
    this.request.reset(this.buffer);
    return this;
  }

  /** Adds a latin1 string. */
  latin1(text: string): this {
    this.reserve(text.length);
    writeLatin1(text, this.buffer, this.used);
    return this.take(text.length);
  }

  /**
   * A whole command: strings and numbers as UTF-8 text, Buffers as bytes.
   *
   * @param isNamed the first argument is a text that found the command: its bytes are left out
   * @throws TypeError when there is no command, or an argument is of another type
   */
  command(args: readonly Argument[], isNamed: boolean): Request {
    if (args.length === 0) throw new TypeError('a command is needed: its name, then its arguments');
    this.start();
    if (isNamed) {
      this.take(0);
      this.request.writtenName = args[0] as string;
    }
    for (let i = isNamed ? 1 : 0; i < args.length; i++) {
      const arg = args[i];
      if (typeof arg === 'string') this.utf8(arg);
      else if (typeof arg === 'number') this.number(arg);
      else if (typeof arg === 'bigint') this.utf8(`${arg}`);
      else if (arg instanceof Uint8Array) this.bytes(arg);
      else throw new TypeError(`argument ${i} is ${nameOfType(arg)}: ${argumentTypes}`);
    }
    return this.request;
  }

  /** Adds a string as UTF-8. */
  utf8(text: string): this {
    const length = text.length;
    this.reserve(length * 3);
    // ASCII is the common case and beats the native call up to some 30 characters.
    if (length > 32) return this.take(this.buffer.utf8Write(text, this.used));
    const { buffer, used } = this;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return this.take(buffer.utf8Write(text, used));
      buffer[used + i] = code;
    }
    return this.take(length);
  }

  private number(value: number): this {
    if ((value | 0) !== value) return this.utf8(`${value}`);
    this.reserve(int64TextLengthMax);
    return this.take(writeInt64Text(value, this.buffer, this.used));
  }

  bytes(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.used);
    return this.take(bytes.length);
  }

  private take(length: number): this {
    this.request.push(this.used, this.used + length);
    this.used += length;
    return this;
  }

  private reserve(length: number): void {
    if (this.used + length <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.used + length));
    this.buffer.copy(grown, 0, 0, this.used);
    this.buffer = grown;
    this.request.buffer = grown;
  }
}

/**
 * Reads a RESP array that is known to be well formed, such as one from the log, into `request`. Returns the
 * offset behind it. Throws when the bytes are not what the log's own checks promised.
 */
export function parseTrusted(buffer: Buffer, start: number, request: Request): number {
  request.reset(buffer);
  let position = start + 1;
  let count = 0;
  if (buffer[start] !== 0x2a) throw new Error(`log entry: no RESP array at offset ${start}`);
  for (let byte = buffer[position++]; byte !== 0x0d; byte = buffer[position++])
    count = count * 10 + byte - 0x30;
  position++;
  const offsets = request.reserve(count);
  for (let i = 0; i < count; i++) {
    if (buffer[position++] !== 0x24) throw new Error(`log entry: no bulk string at offset ${position - 1}`);
    let length = 0;
    for (let byte = buffer[position++]; byte !== 0x0d; byte = buffer[position++])
      length = length * 10 + byte - 0x30;
    position++;
    offsets[i << 1] = position;
    position += length;
    offsets[(i << 1) + 1] = position;
    position += 2;
  }
  if (position > buffer.length)
    throw new Error(`log entry: a request at offset ${start} ends behind the entry`);
  return position;
}
