/**
 * Lua 5.1's patterns. Every character tried costs a step, so that patterns which explode end within the limit
 * of steps.
 */
import { counters, stepsExhausted } from '../limits.js';
import { fail } from '../runtime/frames.js';
import { chargeString } from '../runtime/operators.js';
import type { LuaValue } from '../value.js';

const capturesMax = 32;
/** Nested items of a pattern. 5.1 goes on until C's stack ends. */
const depthMax = 200;

const unfinished = -1;
const positionOnly = -2;

const percent = 37;

/** Classes of bytes in C's own locale: bits as below. */
enum Class {
  alpha = 1,
  digit = 2,
  lower = 4,
  upper = 8,
  space = 16,
  control = 32,
  punctuation = 64,
  hex = 128,
}

const classes = new Uint8Array(256);
for (let code = 0; code < 128; code++) {
  const text = String.fromCharCode(code);
  let bits = 0;
  if (/[a-z]/.test(text)) bits |= Class.alpha | Class.lower;
  if (/[A-Z]/.test(text)) bits |= Class.alpha | Class.upper;
  if (/[0-9]/.test(text)) bits |= Class.digit;
  if (/[0-9a-fA-F]/.test(text)) bits |= Class.hex;
  if (/[ \t\n\v\f\r]/.test(text)) bits |= Class.space;
  if (code < 32 || code === 127) bits |= Class.control;
  if (code > 32 && code < 127 && !/[0-9a-zA-Z]/.test(text)) bits |= Class.punctuation;
  classes[code] = bits;
}

/** For the small letter of a class the bits of its members. */
const classBits: readonly (readonly [letter: string, bits: number])[] = [
  ['a', Class.alpha],
  ['c', Class.control],
  ['d', Class.digit],
  ['l', Class.lower],
  ['p', Class.punctuation],
  ['s', Class.space],
  ['u', Class.upper],
  ['w', Class.alpha | Class.digit],
  ['x', Class.hex],
];
const bitsByCode = new Uint8Array(256);
for (const [letter, bits] of classBits) {
  bitsByCode[letter.charCodeAt(0)] = bits;
  bitsByCode[letter.toUpperCase().charCodeAt(0)] = bits;
}

function matchesClass(code: number, letter: number): boolean {
  const isUpper = letter >= 65 && letter <= 90;
  if ((letter | 32) === 122 && (isUpper || letter === 122)) return (code === 0) !== isUpper;
  const bits = bitsByCode[letter]!;
  if (bits === 0) return letter === code;
  return ((classes[code]! & bits) !== 0) !== isUpper;
}

/** One match of a pattern against a subject. */
export class Matcher {
  level = 0;
  private depth = 0;
  private readonly starts: number[] = [];
  private readonly lengths: number[] = [];

  constructor(
    private readonly subject: string,
    private readonly pattern: string,
  ) {}

  /** Where a match that starts at `s` with the pattern from `p` on ends, or -1. */
  start(s: number, p: number): number {
    this.level = 0;
    this.depth = 0;
    return this.match(s, p);
  }

  /** The pattern's byte at a place; 0, which ends patterns, past its end. */
  private at(p: number): number {
    return p < this.pattern.length ? this.pattern.charCodeAt(p) : 0;
  }

  private subjectAt(s: number): number {
    return s >= 0 && s < this.subject.length ? this.subject.charCodeAt(s) : 0;
  }

  private match(s: number, p: number): number {
    if (++this.depth > depthMax) fail('pattern too complex');
    const end = this.matchItems(s, p);
    this.depth--;
    return end;
  }

  private matchItems(s: number, p: number): number {
    for (;;) {
      if (--counters.s < 0) stepsExhausted();
      const code = this.at(p);
      switch (code) {
        case 0:
          return s;
        case 40: // (
          return this.at(p + 1) === 41 ? this.open(s, p + 2, positionOnly) : this.open(s, p + 1, unfinished);
        case 41: // )
          return this.close(s, p + 1);
        case 36: // $
          if (this.at(p + 1) === 0) return s === this.subject.length ? s : -1;
          break;
        case percent: {
          const next = this.at(p + 1);
          if (next === 98) {
            s = this.balanced(s, p + 2);
            if (s < 0) return -1;
            p += 4;
            continue;
          }
          if (next === 102) {
            p = this.frontier(s, p + 2);
            if (p < 0) return -1;
            continue;
          }
          if (next >= 48 && next <= 57) {
            s = this.back(s, next);
            if (s < 0) return -1;
            p += 2;
            continue;
          }
          break;
        }
      }
      const end = this.classEnd(p);
      const matches = s < this.subject.length && this.single(this.subject.charCodeAt(s), p, end);
      switch (this.at(end)) {
        case 63: {
          // ?
          if (matches) {
            const rest = this.match(s + 1, end + 1);
            if (rest >= 0) return rest;
          }
          p = end + 1;
          continue;
        }
        case 42: // *
          return this.most(s, p, end);
        case 43: // +
          return matches ? this.most(s + 1, p, end) : -1;
        case 45: // -
          return this.least(s, p, end);
      }
      if (!matches) return -1;
      s++;
      p = end;
    }
  }

  private classEnd(p: number): number {
    const code = this.at(p++);
    if (code === percent) {
      if (this.at(p) === 0) fail("malformed pattern (ends with '%')");
      return p + 1;
    }
    if (code !== 91) return p;
    if (this.at(p) === 94) p++;
    do {
      const inner = this.at(p);
      if (inner === 0) fail("malformed pattern (missing ']')");
      p++;
      if (inner === percent && this.at(p) !== 0) p++;
    } while (this.at(p) !== 93);
    return p + 1;
  }

  private single(code: number, p: number, end: number): boolean {
    const item = this.at(p);
    switch (item) {
      case 46:
        return true;
      case percent:
        return matchesClass(code, this.at(p + 1));
      case 91:
        return this.inSet(code, p, end - 1);
      default:
        return item === code;
    }
  }

  private inSet(code: number, p: number, end: number): boolean {
    let positive = true;
    if (this.at(p + 1) === 94) {
      positive = false;
      p++;
    }
    counters.s -= (end - p) >> 3;
    while (++p < end) {
      const item = this.at(p);
      if (item === percent) {
        p++;
        if (matchesClass(code, this.at(p))) return positive;
      } else if (this.at(p + 1) === 45 && p + 2 < end) {
        p += 2;
        if (item <= code && code <= this.at(p)) return positive;
      } else if (item === code) return positive;
    }
    return !positive;
  }

  private most(s: number, p: number, end: number): number {
    const { subject } = this;
    let count = 0;
    while (s + count < subject.length && this.single(subject.charCodeAt(s + count), p, end)) {
      count++;
      if (--counters.s < 0) stepsExhausted();
    }
    for (; count >= 0; count--) {
      const rest = this.match(s + count, end + 1);
      if (rest >= 0) return rest;
    }
    return -1;
  }

  private least(s: number, p: number, end: number): number {
    for (;;) {
      const rest = this.match(s, end + 1);
      if (rest >= 0) return rest;
      if (s < this.subject.length && this.single(this.subject.charCodeAt(s), p, end)) s++;
      else return -1;
    }
  }

  private open(s: number, p: number, kind: number): number {
    const { level } = this;
    if (level >= capturesMax) fail('too many captures');
    this.starts[level] = s;
    this.lengths[level] = kind;
    this.level = level + 1;
    const end = this.match(s, p);
    if (end < 0) this.level--;
    return end;
  }

  private close(s: number, p: number): number {
    let level = this.level - 1;
    while (level >= 0 && this.lengths[level] !== unfinished) level--;
    if (level < 0) fail('invalid pattern capture');
    this.lengths[level] = s - this.starts[level]!;
    const end = this.match(s, p);
    if (end < 0) this.lengths[level] = unfinished;
    return end;
  }

  private balanced(s: number, p: number): number {
    const open = this.at(p);
    const close = this.at(p + 1);
    if (open === 0 || close === 0) fail('unbalanced pattern');
    const { subject } = this;
    if (s >= subject.length || subject.charCodeAt(s) !== open) return -1;
    let nested = 1;
    for (s++; s < subject.length; s++) {
      if (--counters.s < 0) stepsExhausted();
      const code = subject.charCodeAt(s);
      if (code === close) {
        if (--nested === 0) return s + 1;
      } else if (code === open) nested++;
    }
    return -1;
  }

  private frontier(s: number, p: number): number {
    if (this.at(p) !== 91) fail("missing '[' after '%f' in pattern");
    const end = this.classEnd(p);
    const before = this.subjectAt(s - 1);
    if (this.inSet(before, p, end - 1) || !this.inSet(this.subjectAt(s), p, end - 1)) return -1;
    return end;
  }

  private back(s: number, digit: number): number {
    const level = digit - 49;
    if (level < 0 || level >= this.level || this.lengths[level] === unfinished) fail('invalid capture index');
    const start = this.starts[level]!;
    const length = this.lengths[level]!;
    // A capture of a position counts as longer than anything.
    if (length < 0 || this.subject.length - s < length) return -1;
    counters.s -= length >> 4;
    return this.subject.startsWith(this.subject.slice(start, start + length), s) ? s + length : -1;
  }

  /** A capture of the match of [from, to); the whole match when there are none. */
  capture(index: number, from: number, to: number): string | number {
    if (index >= this.level) {
      if (index === 0) return this.whole(from, to);
      fail('invalid capture index');
    }
    const length = this.lengths[index]!;
    const start = this.starts[index]!;
    if (length === unfinished) fail('unfinished capture');
    return length === positionOnly ? start + 1 : this.whole(start, start + length);
  }

  whole(from: number, to: number): string {
    chargeString(to - from);
    return this.subject.slice(from, to);
  }

  /** All captures; without any, the whole match if `wholeToo`. */
  captures(from: number, to: number, wholeToo: boolean): LuaValue[] {
    const count = this.level === 0 && wholeToo ? 1 : this.level;
    const result: LuaValue[] = [];
    for (let at = 0; at < count; at++) result.push(this.capture(at, from, to));
    return result;
  }
}

/** Whether a pattern matches nothing but itself. As in C, what follows a NUL does not count. */
export function isPlain(pattern: string): boolean {
  const end = pattern.indexOf('\0');
  return !/[\^$*+?.([%-]/.test(end < 0 ? pattern : pattern.slice(0, end));
}
