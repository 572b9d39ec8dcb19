/** cjson.decode: JSON as lua-cjson 2.1 reads it, with its errors. Nesting takes no stack. */
import { parseLeadingDouble } from '../../../numbers/double.js';
import { scanFloat } from '../../../numbers/float-syntax.js';
import { chargeSteps } from '../../limits.js';
import { fail } from '../../runtime/frames.js';
import { chargeString } from '../../runtime/operators.js';
import { LuaTable } from '../../table.js';
import type { LuaValue } from '../../value.js';
import type { CjsonConfig } from './config.js';

type TokenType =
  | 'T_OBJ_BEGIN'
  | 'T_OBJ_END'
  | 'T_ARR_BEGIN'
  | 'T_ARR_END'
  | 'T_STRING'
  | 'T_NUMBER'
  | 'T_BOOLEAN'
  | 'T_NULL'
  | 'T_COLON'
  | 'T_COMMA'
  | 'T_END'
  | 'T_ERROR';

const punctuation: ReadonlyMap<string, TokenType> = new Map([
  ['{', 'T_OBJ_BEGIN'],
  ['}', 'T_OBJ_END'],
  ['[', 'T_ARR_BEGIN'],
  [']', 'T_ARR_END'],
  [':', 'T_COLON'],
  [',', 'T_COMMA'],
  ['\0', 'T_END'],
  ['', 'T_END'],
]);

const escapes: ReadonlyMap<string, string> = new Map([
  ['b', '\b'],
  ['t', '\t'],
  ['n', '\n'],
  ['f', '\f'],
  ['r', '\r'],
  ['"', '"'],
  ['/', '/'],
  ['\\', '\\'],
]);

/** A code point as UTF-8, one char a byte. */
function utf8(code: number): string {
  if (code < 0x80) return String.fromCharCode(code);
  if (code < 0x800) return String.fromCharCode(0xc0 | (code >> 6), 0x80 | (code & 63));
  if (code < 0x10000) {
    return String.fromCharCode(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return String.fromCharCode(
    0xf0 | (code >> 18),
    0x80 | ((code >> 12) & 63),
    0x80 | ((code >> 6) & 63),
    0x80 | (code & 63),
  );
}

/** A collection that is being read. */
interface Level {
  table: LuaTable;
  /** The key whose value comes, of an object. */
  key: string | undefined;
  /** Elements read, of an array. */
  count: number;
}

export class Decoder {
  private at = 0;
  private type: TokenType = 'T_END';
  private value: LuaValue;
  /** What is wrong with an error token. */
  private problem = '';
  /** Where the token starts; of an error token where the error is. */
  private index = 0;
  private readonly levels: Level[] = [];

  constructor(
    private readonly text: string,
    private readonly config: CjsonConfig,
    private readonly nullValue: LuaValue,
  ) {}

  decode(): LuaValue {
    const { text } = this;
    if (text.length >= 2 && (text.charCodeAt(0) === 0 || text.charCodeAt(1) === 0)) {
      fail('JSON parser does not support UTF-16 or UTF-32');
    }
    chargeSteps(text.length >> 4);
    this.next();
    for (;;) {
      chargeSteps(2);
      const opened = this.open();
      if (opened) continue;
      // A value is complete: it goes where it belongs, and so may what holds it.
      let complete = this.value;
      for (;;) {
        const level = this.levels.at(-1);
        if (!level) {
          this.next();
          if (this.type !== 'T_END') this.expected('the end');
          return complete;
        }
        if (!this.store(level, complete)) break;
        complete = this.levels.pop()!.table;
      }
    }
  }

  /** Begins the value of the current token. True when it is a collection whose first value comes next. */
  private open(): boolean {
    switch (this.type) {
      case 'T_STRING':
      case 'T_NUMBER':
      case 'T_BOOLEAN':
        return false;
      case 'T_NULL':
        this.value = this.nullValue;
        return false;
      case 'T_OBJ_BEGIN': {
        const level = this.descend();
        if (this.next() === 'T_OBJ_END') return this.close();
        this.readKey(level);
        return true;
      }
      case 'T_ARR_BEGIN':
        this.descend();
        return this.next() === 'T_ARR_END' ? this.close() : true;
      default:
        return this.expected('value');
    }
  }

  /** The collection on top is empty, hence complete. */
  private close(): false {
    this.value = this.levels.pop()!.table;
    return false;
  }

  private descend(): Level {
    if (this.levels.length + 1 > this.config.decodeMaxDepth) {
      fail(`Found too many nested data structures (${this.levels.length + 1}) at character ${this.at}`);
    }
    const level: Level = { table: new LuaTable(), key: undefined, count: 0 };
    this.levels.push(level);
    return level;
  }

  private readKey(level: Level): void {
    if (this.type !== 'T_STRING') this.expected('object key string');
    level.key = this.value as string;
    if (this.next() !== 'T_COLON') this.expected('colon');
    this.next();
  }

  /** Puts a value into its collection; true when that is complete. */
  private store(level: Level, value: LuaValue): boolean {
    const { table, key } = level;
    if (key !== undefined) {
      table.set(key, value);
      this.next();
      if (this.type === 'T_OBJ_END') return true;
      if (this.type !== 'T_COMMA') this.expected('comma or object end');
      this.next();
      this.readKey(level);
      return false;
    }
    table.setNumber(++level.count, value);
    this.next();
    if (this.type === 'T_ARR_END') return true;
    if (this.type !== 'T_COMMA') this.expected('comma or array end');
    this.next();
    return false;
  }

  private expected(what: string): never {
    const found = this.type === 'T_ERROR' ? this.problem : this.type;
    return fail(`Expected ${what} but found ${found} at character ${this.index + 1}`);
  }

  private wrong(problem: string): void {
    this.type = 'T_ERROR';
    this.problem = problem;
    this.index = this.at;
  }

  /** Moves to the next token, whose kind it returns. */
  private next(): TokenType {
    this.scan();
    return this.type;
  }

  private scan(): void {
    const { text } = this;
    let code = text.charCodeAt(this.at);
    while (code === 32 || code === 9 || code === 10 || code === 13) code = text.charCodeAt(++this.at);
    this.index = this.at;
    const char = text.charAt(this.at);
    const type = punctuation.get(char);
    if (type) {
      this.type = type;
      if (type !== 'T_END') this.at++;
    } else if (char === '"') this.readString();
    else if (char === '-' || (char >= '0' && char <= '9')) {
      if (!this.config.decodeInvalidNumbers && this.isInvalidNumber()) this.wrong('invalid number');
      else this.readNumber();
    } else if (!this.readWord()) {
      const mayBeNumber = /[+iInN]/.test(char);
      if (mayBeNumber && this.config.decodeInvalidNumbers && this.isInvalidNumber()) this.readNumber();
      else this.wrong('invalid token');
    }
  }

  private readWord(): boolean {
    const words = [
      ['true', 'T_BOOLEAN', true],
      ['false', 'T_BOOLEAN', false],
      ['null', 'T_NULL', undefined],
    ] as const;
    for (const [word, type, value] of words) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.type = type;
      this.value = value;
      this.at += word.length;
      return true;
    }
    return false;
  }

  /** Numbers that C reads and JSON does not have: inf, nan, hexadecimal, leading zeros, a plus. */
  private isInvalidNumber(): boolean {
    const rest = this.text.slice(this.at, this.at + 5);
    return /^(\+|-?0[xX0-9]|-?[iI][nN][fF]|-?[nN][aA][nN])/.test(rest);
  }

  private readNumber(): void {
    // The longest number starts within so many characters; what is longer is taken piece by piece by strtod,
    // too.
    const end = this.numberEnd();
    const piece = this.text.slice(this.at, end);
    const scanned = scanFloat(piece, 0);
    if (scanned.end === 0) {
      this.wrong('invalid number');
      return;
    }
    const length = scanned.end;
    this.value = parseLeadingDouble(piece);
    this.type = 'T_NUMBER';
    this.at += length;
  }

  private numberEnd(): number {
    const { text } = this;
    let end = this.at;
    while (end < text.length && /[0-9a-zA-Z.+\-_()]/.test(text.charAt(end))) end++;
    return end;
  }

  private readString(): void {
    const { text } = this;
    let out = '';
    let start = ++this.at;
    for (;;) {
      const code = this.at < text.length ? text.charCodeAt(this.at) : 0;
      if (code === 34) break;
      if (code === 0) {
        this.wrong('unexpected end of string');
        return;
      }
      if (code !== 92) {
        this.at++;
        continue;
      }
      out += text.slice(start, this.at);
      const letter = text.charAt(this.at + 1);
      if (letter === 'u') {
        const char = this.readUnicode();
        if (char === undefined) {
          this.wrong('invalid unicode escape code');
          return;
        }
        out += char;
      } else {
        const char = escapes.get(letter);
        if (char === undefined) {
          this.wrong('invalid escape code');
          return;
        }
        out += char;
        this.at += 2;
      }
      start = this.at;
    }
    out += text.slice(start, this.at);
    this.at++;
    chargeString(out.length);
    this.type = 'T_STRING';
    this.value = out;
  }

  private hex4(at: number): number {
    const digits = this.text.slice(at, at + 4);
    return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : -1;
  }

  private readUnicode(): string | undefined {
    let code = this.hex4(this.at + 2);
    if (code < 0) return undefined;
    let length = 6;
    if ((code & 0xf800) === 0xd800) {
      if ((code & 0x400) !== 0 || !this.text.startsWith('\\u', this.at + 6)) return undefined;
      const low = this.hex4(this.at + 8);
      if ((low & 0xfc00) !== 0xdc00 || low < 0) return undefined;
      code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
      length = 12;
    }
    this.at += length;
    return utf8(code);
  }
}
