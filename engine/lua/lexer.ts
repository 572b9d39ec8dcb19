/** Splits Lua source into tokens, with the error texts of Lua 5.1. */
import { LuaError } from './errors.js';
import { parseNumeral } from './numbers.js';

/** Words that are no names. */
export const keywords: ReadonlySet<string> = new Set(
  'and break do else elseif end false for function if in local nil not or repeat return then true until while'.split(
    ' ',
  ),
);

/** A token's kind: a keyword or an operator as it is written, or one of these. */
export const tokenKinds = { name: '<name>', string: '<string>', number: '<number>', end: '<eof>' } as const;

enum Char {
  newline = 10,
  return = 13,
  quote = 34,
  apostrophe = 39,
  minus = 45,
  dot = 46,
  zero = 48,
  nine = 57,
  equals = 61,
  open = 91,
  backslash = 92,
  close = 93,
}

/** Classes of bytes: 1 letter or underscore, 2 digit, 4 blank that ends no line. */
const classes = new Uint8Array(257);
for (let code = 0x41; code <= 0x5a; code++) classes[code] = classes[code | 0x20] = 1;
classes[0x5f] = 1;
for (let code = Char.zero; code <= Char.nine; code++) classes[code] = 2;
for (const blank of [0x20, 0x09, 0x0b, 0x0c]) classes[blank] = 4;

/** Most tokens of a chunk: some 400 KB of source, which take half a second at worst. */
export const tokensMax = 100_000;

const twoCharOperators = new Set(['==', '~=', '<=', '>=', '..']);

const escapes: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);

export class Lexer {
  /** Kind of the current token. */
  kind: string = tokenKinds.end;
  /** Value of a name or string, or the source text of a number. */
  text = '';
  number = 0;
  /** Line of the current token. */
  line = 1;
  /** Line of the token before it. */
  lastLine = 1;
  /** Source text of the last name, string or number, for messages. */
  private raw = '';
  private at = 0;
  /** Tokens so far: what a chunk may have is bounded, since so is the time that compiling it may take. */
  private count = 0;
  private ahead: { kind: string; text: string; number: number; line: number } | undefined;

  constructor(
    private readonly source: string,
    /** How messages name the source. */
    readonly chunkName: string,
  ) {}

  /** Moves to the next token. */
  next(): void {
    this.lastLine = this.line;
    const { ahead } = this;
    if (ahead) {
      this.kind = ahead.kind;
      this.text = ahead.text;
      this.number = ahead.number;
      this.line = ahead.line;
      this.ahead = undefined;
      return;
    }
    this.scan();
  }

  /** Kind of the token behind the current one. */
  peek(): string {
    const { kind, text, number, line, lastLine } = this;
    this.scan();
    this.ahead = { kind: this.kind, text: this.text, number: this.number, line: this.line };
    this.kind = kind;
    this.text = text;
    this.number = number;
    this.line = line;
    this.lastLine = lastLine;
    return this.ahead.kind;
  }

  /** Ends compilation: `message near 'token'`. */
  fail(message: string, near = this.describeToken()): never {
    return this.failPlainly(`${message} near '${near}'`);
  }

  /** Ends compilation. */
  failPlainly(message: string): never {
    const line = this.ahead ? this.ahead.line : this.line;
    throw new LuaError(`${this.chunkName}:${line}: ${message}`);
  }

  private describeToken(): string {
    if (this.kind === tokenKinds.name || this.kind === tokenKinds.string || this.kind === tokenKinds.number)
      return this.raw;
    return this.describe(this.kind);
  }

  /** A kind of token as messages show it. */
  describe(kind: string): string {
    const code = kind.charCodeAt(0);
    return kind.length === 1 && (code < 32 || code === 127) ? `char(${code})` : kind;
  }

  private code(at: number): number {
    return at < this.source.length ? this.source.charCodeAt(at) : -1;
  }

  private scan(): void {
    const { source } = this;
    if (++this.count > tokensMax) this.failPlainly(`chunk has more than ${tokensMax} tokens`);
    for (;;) {
      const code = this.code(this.at);
      if (code < 0) {
        this.kind = tokenKinds.end;
        return;
      }
      const kind = classes[code]!;
      if (kind === 1) {
        this.scanName();
        return;
      }
      if (kind === 2) {
        this.scanNumber(this.at);
        return;
      }
      if (kind === 4) {
        this.at++;
        continue;
      }
      switch (code) {
        case Char.newline:
        case Char.return:
          this.skipNewline();
          continue;
        case Char.minus:
          if (this.code(this.at + 1) !== Char.minus) break;
          this.skipComment();
          continue;
        case Char.open: {
          const level = this.longBracket(this.at);
          if (level >= 0) {
            this.text = this.scanLong(level, false);
            this.kind = tokenKinds.string;
            return;
          }
          if (level === -2)
            this.fail('invalid long string delimiter', source.slice(this.at, this.delimiterEnd()));
          break;
        }
        case Char.quote:
        case Char.apostrophe:
          this.scanString(code);
          return;
        case Char.dot:
          if (classes[this.code(this.at + 1) & 511] === 2 && this.code(this.at + 1) >= 0) {
            this.scanNumber(this.at);
            return;
          }
          if (source.startsWith('...', this.at)) {
            this.kind = '...';
            this.at += 3;
            return;
          }
          break;
      }
      const two = source.slice(this.at, this.at + 2);
      this.kind = twoCharOperators.has(two) ? two : source.charAt(this.at);
      this.at += this.kind.length;
      return;
    }
  }

  private skipNewline(): void {
    const first = this.code(this.at++);
    const second = this.code(this.at);
    if ((second === Char.newline || second === Char.return) && second !== first) this.at++;
    this.line++;
  }

  /**
   * Level of the long bracket that opens at a place; -1: a bracket alone, -2: `[=` without a second bracket.
   */
  private longBracket(at: number): number {
    let end = at + 1;
    while (this.code(end) === Char.equals) end++;
    if (this.code(end) === Char.open) return end - at - 1;
    return end === at + 1 ? -1 : -2;
  }

  private delimiterEnd(): number {
    let end = this.at + 1;
    while (this.code(end) === Char.equals) end++;
    return end;
  }

  private skipComment(): void {
    this.at += 2;
    if (this.code(this.at) === Char.open) {
      const level = this.longBracket(this.at);
      if (level >= 0) {
        this.scanLong(level, true);
        return;
      }
    }
    for (;;) {
      const code = this.code(this.at);
      if (code < 0 || code === Char.newline || code === Char.return) return;
      this.at++;
    }
  }

  private scanLong(level: number, comment: boolean): string {
    const from = this.at;
    this.at += level + 2;
    let code = this.code(this.at);
    if (code === Char.newline || code === Char.return) this.skipNewline();
    let text = '';
    let start = this.at;
    for (;;) {
      code = this.code(this.at);
      if (code < 0) {
        this.kind = tokenKinds.end;
        this.fail(comment ? 'unfinished long comment' : 'unfinished long string');
      } else if (code === Char.close) {
        let end = this.at + 1;
        while (this.code(end) === Char.equals) end++;
        if (end - this.at - 1 === level && this.code(end) === Char.close) {
          if (!comment) text += this.source.slice(start, this.at);
          this.at = end + 1;
          this.raw = comment ? this.raw : this.source.slice(from, this.at);
          return text;
        }
        this.at = end;
      } else if (code === Char.open && level === 0 && this.longBracket(this.at) === 0) {
        this.fail('nesting of [[...]] is deprecated', '[');
      } else if (code === Char.newline || code === Char.return) {
        if (!comment) text += `${this.source.slice(start, this.at)}\n`;
        this.skipNewline();
        start = this.at;
      } else this.at++;
    }
  }

  private scanName(): void {
    const from = this.at;
    do this.at++;
    while (this.code(this.at) >= 0 && (classes[this.code(this.at)]! & 3) !== 0);
    this.text = this.source.slice(from, this.at);
    this.raw = this.text;
    this.kind = keywords.has(this.text) ? this.text : tokenKinds.name;
  }

  private scanNumber(from: number): void {
    const isDigitOrDot = (code: number): boolean =>
      code === Char.dot || (code >= Char.zero && code <= Char.nine);
    do this.at++;
    while (isDigitOrDot(this.code(this.at)));
    if ((this.code(this.at) | 32) === 101) {
      this.at++;
      const sign = this.code(this.at);
      if (sign === Char.minus || sign === 43) this.at++;
    }
    while (this.code(this.at) >= 0 && (classes[this.code(this.at)]! & 3) !== 0) this.at++;
    this.raw = this.source.slice(from, this.at);
    this.kind = tokenKinds.number;
    const value = parseNumeral(this.raw);
    if (value === undefined) this.fail('malformed number');
    this.number = value;
  }

  private scanString(quote: number): void {
    const { source } = this;
    const from = this.at++;
    let text = '';
    let raw = source.charAt(from);
    let start = this.at;
    for (;;) {
      const code = this.code(this.at);
      if (code === quote) break;
      if (code < 0) {
        this.kind = tokenKinds.end;
        this.fail('unfinished string');
      }
      if (code === Char.newline || code === Char.return) {
        this.raw = raw + source.slice(start, this.at);
        this.kind = tokenKinds.string;
        this.fail('unfinished string');
      }
      if (code !== Char.backslash) {
        this.at++;
        continue;
      }
      // What was escaped counts as what it stands for, in messages too.
      const piece = source.slice(start, this.at);
      text += piece;
      this.raw = raw += piece;
      const escaped = this.scanEscape();
      text += escaped;
      raw += escaped;
      start = this.at;
    }
    const piece = source.slice(start, this.at);
    this.at++;
    this.text = text + piece;
    this.raw = raw + piece + source.charAt(from);
    this.kind = tokenKinds.string;
  }

  private scanEscape(): string {
    const code = this.code(++this.at);
    if (code < 0) return '';
    if (code === Char.newline || code === Char.return) {
      this.skipNewline();
      return '\n';
    }
    if (classes[code] !== 2) {
      const char = this.source.charAt(this.at++);
      return escapes.get(char) ?? char;
    }
    let value = 0;
    for (let digits = 0; digits < 3 && classes[this.code(this.at) & 511] === 2; digits++)
      value = value * 10 + this.code(this.at++) - Char.zero;
    if (value > 255) {
      this.kind = tokenKinds.string;
      this.fail('escape sequence too large');
    }
    return String.fromCharCode(value);
  }
}
