/** The library cmsgpack: MessagePack, as lua-cmsgpack writes and reads it. */
import { chargeSteps } from '../limits.js';
import { fail } from '../runtime/frames.js';
import { chargeString } from '../runtime/operators.js';
import { LuaTable } from '../table.js';
import type { LuaResult, LuaValue } from '../value.js';
import {
  type Arguments,
  argumentError,
  checkInt,
  checkString,
  type Natives,
  natives,
  optionalInt,
} from './arguments.js';
import { resultsMax } from './base.js';

/** Tables nested deeper are written as nil. */
const packDepthMax = 16;
/** Collections nested deeper are refused; lua-cmsgpack goes on until C's stack of Lua ends. */
const unpackDepthMax = 1000;

const bytes = new DataView(new ArrayBuffer(8));

function taken(length: number): string {
  let out = '';
  for (let at = 0; at < length; at++) out += String.fromCharCode(bytes.getUint8(at));
  return out;
}

function uint8(tag: number, value: number): string {
  return String.fromCharCode(tag, value & 255);
}

function uint16(tag: number, value: number): string {
  return String.fromCharCode(tag, (value >> 8) & 255, value & 255);
}

function uint32(tag: number, value: number): string {
  bytes.setUint32(0, value >>> 0);
  return String.fromCharCode(tag) + taken(4);
}

function integer(value: number): string {
  if (value >= 0) {
    if (value <= 127) return String.fromCharCode(value);
    if (value <= 0xff) return uint8(0xcc, value);
    if (value <= 0xffff) return uint16(0xcd, value);
    if (value <= 0xffffffff) return uint32(0xce, value);
    bytes.setBigUint64(0, BigInt(value));
    return `\xcf${taken(8)}`;
  }
  if (value >= -32) return String.fromCharCode(value & 255);
  if (value >= -128) return uint8(0xd0, value);
  if (value >= -32768) return uint16(0xd1, value);
  if (value >= -2147483648) return uint32(0xd2, value);
  bytes.setBigInt64(0, BigInt(value));
  return `\xd3${taken(8)}`;
}

function number(value: number): string {
  if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) return integer(value);
  if (Math.fround(value) === value) {
    bytes.setFloat32(0, value);
    return `\xca${taken(4)}`;
  }
  bytes.setFloat64(0, value);
  // x86's arithmetic makes NaNs with the sign set.
  if (Number.isNaN(value)) bytes.setUint32(0, 0xfff80000);
  return `\xcb${taken(8)}`;
}

function header(length: number, fixed: number, fixedMax: number, tag16: number): string {
  if (length <= fixedMax) return String.fromCharCode(fixed | length);
  return length <= 0xffff ? uint16(tag16, length) : uint32(tag16 + 1, length);
}

function text(value: string): string {
  const { length } = value;
  if (length > 31 && length <= 255) return uint8(0xd9, length) + value;
  return header(length, 0xa0, 31, 0xda) + value;
}

class Packer {
  private readonly parts: string[] = [];
  private size = 0;

  pack(value: LuaValue): string {
    this.value(value, 0);
    chargeString(this.size);
    return this.parts.join('');
  }

  private push(part: string): void {
    this.size += part.length;
    chargeString(part.length);
    this.parts.push(part);
  }

  private value(value: LuaValue, depth: number): void {
    chargeSteps(1);
    switch (typeof value) {
      case 'string':
        this.push(text(value));
        return;
      case 'number':
        this.push(number(value));
        return;
      case 'boolean':
        this.push(value ? '\xc3' : '\xc2');
        return;
      default:
        if (value instanceof LuaTable && depth < packDepthMax) this.table(value, depth);
        else this.push('\xc0');
    }
  }

  private table(table: LuaTable, depth: number): void {
    let count = 0;
    let max = 0;
    let isArray = true;
    for (let at = table.skipEmpty(0); at >= 0; at = table.skipEmpty(at + 1)) {
      const key = table.keyAt(at);
      if (typeof key !== 'number' || !(key > 0) || !Number.isInteger(key)) isArray = false;
      else if (key > max) max = key;
      count++;
    }
    chargeSteps(count >> 2);
    if (isArray && max === count) {
      const length = table.length();
      this.push(header(length, 0x90, 15, 0xdc));
      for (let at = 1; at <= length; at++) this.value(table.getNumber(at), depth + 1);
      return;
    }
    this.push(header(count, 0x80, 15, 0xde));
    for (let at = table.skipEmpty(0); at >= 0; at = table.skipEmpty(at + 1)) {
      this.value(table.keyAt(at), depth + 1);
      this.value(table.valueAt(at), depth + 1);
    }
  }
}

class Unpacker {
  constructor(
    private readonly source: string,
    public at: number,
  ) {}

  get done(): boolean {
    return this.at >= this.source.length;
  }

  /** Moves over `count` bytes, the first of which stands at the place returned. */
  private take(count: number): number {
    const { at } = this;
    if (count > this.source.length - at) fail('Missing bytes in input.');
    this.at += count;
    return at;
  }

  private load(count: number): void {
    const from = this.take(count);
    for (let i = 0; i < count; i++) bytes.setUint8(i, this.source.charCodeAt(from + i));
  }

  private unsigned(count: 1 | 2 | 4): number {
    this.load(count);
    return count === 1 ? bytes.getUint8(0) : count === 2 ? bytes.getUint16(0) : bytes.getUint32(0);
  }

  private string(length: number): string {
    const from = this.take(length);
    chargeString(length);
    return this.source.slice(from, from + length);
  }

  private array(length: number, depth: number): LuaTable {
    this.checkDepth(depth, 'array');
    const table = new LuaTable();
    for (let at = 1; at <= length; at++) table.setNumber(at, this.value(depth + 1));
    return table;
  }

  private map(length: number, depth: number): LuaTable {
    this.checkDepth(depth, 'hash');
    const table = new LuaTable();
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1);
      const value = this.value(depth + 1);
      if (key === undefined) fail('table index is nil');
      if (typeof key === 'number' && Number.isNaN(key)) fail('table index is NaN');
      table.set(key, value);
    }
    return table;
  }

  private checkDepth(depth: number, kind: string): void {
    if (depth > unpackDepthMax) fail(`stack overflow (in function mp_decode_to_lua_${kind})`);
  }

  value(depth: number): LuaValue {
    chargeSteps(1);
    const tag = this.source.charCodeAt(this.take(1));
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 256;
    if (tag < 0x90) return this.map(tag & 15, depth);
    if (tag < 0xa0) return this.array(tag & 15, depth);
    if (tag < 0xc0) return this.string(tag & 31);
    switch (tag) {
      case 0xc0:
        return undefined;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xd9:
        return this.string(this.unsigned(1));
      case 0xda:
        return this.string(this.unsigned(2));
      case 0xdb:
        return this.string(this.unsigned(4));
      case 0xca:
        this.load(4);
        return bytes.getFloat32(0);
      case 0xcb:
        this.load(8);
        return bytes.getFloat64(0);
      case 0xcc:
        return this.unsigned(1);
      case 0xcd:
        return this.unsigned(2);
      case 0xce:
        return this.unsigned(4);
      case 0xcf:
        this.load(8);
        // As lua-cmsgpack: through a signed integer.
        return Number(bytes.getBigInt64(0));
      case 0xd0:
        this.load(1);
        return bytes.getInt8(0);
      case 0xd1:
        this.load(2);
        return bytes.getInt16(0);
      case 0xd2:
        this.load(4);
        return bytes.getInt32(0);
      case 0xd3:
        this.load(8);
        return Number(bytes.getBigInt64(0));
      case 0xdc:
        return this.array(this.unsigned(2), depth);
      case 0xdd:
        return this.array(this.unsigned(4), depth);
      case 0xde:
        return this.map(this.unsigned(2), depth);
      case 0xdf:
        return this.map(this.unsigned(4), depth);
      default:
        return fail('Bad data format in input.');
    }
  }
}

/** Values from an offset on; with a limit or an offset, the next offset (-1 at the end) comes first. */
function unpack(args: Arguments, limit: number, offset: number): LuaResult {
  const source = checkString(args, 0);
  if (offset < 0 || limit < 0) {
    fail(`Invalid request to unpack with offset of ${offset} and limit of ${source.length}.`);
  }
  if (offset > source.length) {
    fail(`Start offset ${offset} greater than input length ${source.length}.`);
  }
  const all = limit === 0 && offset === 0;
  const most = all ? resultsMax : limit;
  const unpacker = new Unpacker(source, offset);
  const results: LuaValue[] = [];
  while (!unpacker.done && results.length < most) results.push(unpacker.value(1));
  if (all && !unpacker.done) {
    fail('stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)');
  }
  if (!all) results.unshift(unpacker.done ? -1 : unpacker.at);
  return results;
}

export const cmsgpackFunctions: Natives = natives({
  pack: (...args) => {
    if (args.length === 0) argumentError(-1, 'MessagePack pack needs input.');
    let out = '';
    for (const value of args) out += new Packer().pack(value);
    chargeString(out.length);
    return out;
  },
  unpack: (...args) => unpack(args, 0, 0),
  unpack_one: (...args) => unpack(args, 1, optionalInt(args, 1, 0)),
  unpack_limit: (...args) => unpack(args, checkInt(args, 1), optionalInt(args, 2, 0)),
});
