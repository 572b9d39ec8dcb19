/** The library struct: values as bytes and back, by a format. */
import { chargeSteps } from '../limits.js';
import { fail } from '../runtime/frames.js';
import { chargeString, toNumber } from '../runtime/operators.js';
import type { LuaResult, LuaValue } from '../value.js';
import {
  type Arguments,
  argumentError,
  checkNumber,
  checkString,
  type Natives,
  natives,
  optionalInteger,
  toInteger,
} from './arguments.js';

const integerSizeMax = 32;
const int32Max = 2147483647;

const bytes = new DataView(new ArrayBuffer(8));

/** Reads a format option by option. */
class Format {
  private at = 0;
  little = true;
  private align = 1;

  constructor(private readonly source: string) {}

  /** The next option, or undefined at the end. As in C, a NUL ends the format. */
  next(): string | undefined {
    if (this.at >= this.source.length || this.source.charCodeAt(this.at) === 0) return undefined;
    chargeSteps(1);
    return this.source.charAt(this.at++);
  }

  private number(otherwise: number): number {
    if (!/[0-9]/.test(this.source.charAt(this.at))) return otherwise;
    let value = 0;
    while (/[0-9]/.test(this.source.charAt(this.at))) {
      const digit = this.source.charCodeAt(this.at++) - 48;
      if (value > Math.floor(int32Max / 10) || value * 10 > int32Max - digit) fail('integral size overflow');
      value = value * 10 + digit;
    }
    return value;
  }

  /** Bytes that an option takes; 0 where that is not known or it is none. */
  size(option: string): number {
    switch (option) {
      case 'B':
      case 'b':
      case 'x':
        return 1;
      case 'H':
      case 'h':
        return 2;
      case 'L':
      case 'l':
      case 'T':
      case 'd':
        return 8;
      case 'f':
        return 4;
      case 'c':
        return this.number(1);
      case 'i':
      case 'I': {
        const size = this.number(4);
        if (size > integerSizeMax) fail(`integral size ${size} is larger than limit of ${integerSizeMax}`);
        return size;
      }
      default:
        return 0;
    }
  }

  /** Bytes of padding before an option at an offset. */
  padding(offset: number, option: string, size: number): number {
    if (size === 0 || option === 'c') return 0;
    const unit = Math.min(size, this.align);
    return (unit - (offset & (unit - 1))) & (unit - 1);
  }

  /** An option that stands for no value. */
  control(option: string): void {
    switch (option) {
      case ' ':
        return;
      case '>':
        this.little = false;
        return;
      case '<':
        this.little = true;
        return;
      case '!': {
        const align = this.number(8);
        if (align <= 0 || (align & (align - 1)) !== 0) fail(`alignment ${align} is not a power of 2`);
        this.align = align;
        return;
      }
      default:
        argumentError(0, `invalid format option '${option}'`);
    }
  }
}

function integerBytes(value: number, size: number, little: boolean): string {
  let bits =
    value < 0
      ? BigInt.asUintN(64, BigInt(toInteger(value)))
      : value < 2 ** 64
        ? BigInt(Math.trunc(value))
        : 0n;
  if (Number.isNaN(value)) bits = 1n << 63n;
  let out = '';
  for (let at = 0; at < size; at++) {
    const byte = String.fromCharCode(Number(bits & 255n));
    out = little ? out + byte : byte + out;
    bits >>= 8n;
  }
  return out;
}

function readInteger(data: string, at: number, size: number, little: boolean, signed: boolean): number {
  let bits = 0n;
  for (let i = 0; i < size; i++) {
    bits = (bits << 8n) | BigInt(data.charCodeAt(at + (little ? size - 1 - i : i)));
  }
  bits = BigInt.asUintN(64, bits);
  return Number(signed ? BigInt.asIntN(Math.min(size * 8, 64), bits) : bits);
}

function floatBytes(value: number, size: number, little: boolean): string {
  if (size === 4) bytes.setFloat32(0, value, little);
  else bytes.setFloat64(0, value, little);
  let out = '';
  for (let at = 0; at < size; at++) out += String.fromCharCode(bytes.getUint8(at));
  return out;
}

function readFloat(data: string, at: number, size: number, little: boolean): number {
  for (let i = 0; i < size; i++) bytes.setUint8(i, data.charCodeAt(at + i));
  return size === 4 ? bytes.getFloat32(0, little) : bytes.getFloat64(0, little);
}

function pack(args: Arguments): string {
  const format = new Format(checkString(args, 0));
  const parts: string[] = [];
  let total = 0;
  let argument = 1;
  const push = (part: string): void => {
    chargeString(part.length);
    total += part.length;
    parts.push(part);
  };
  for (let option = format.next(); option !== undefined; option = format.next()) {
    const size = format.size(option);
    push('\0'.repeat(format.padding(total, option, size)));
    switch (option) {
      case 'b':
      case 'B':
      case 'h':
      case 'H':
      case 'l':
      case 'L':
      case 'T':
      case 'i':
      case 'I':
        push(integerBytes(checkNumber(args, argument++), size, format.little));
        break;
      case 'x':
        push('\0');
        break;
      case 'f':
      case 'd':
        push(floatBytes(checkNumber(args, argument++), size, format.little));
        break;
      case 'c':
      case 's': {
        const text = checkString(args, argument++);
        const length = size === 0 ? text.length : size;
        if (text.length < length) argumentError(argument, 'string too short');
        push(text.slice(0, length));
        if (option === 's') push('\0');
        break;
      }
      default:
        format.control(option);
    }
  }
  chargeString(total);
  return parts.join('');
}

function unpack(args: Arguments): LuaResult {
  const format = new Format(checkString(args, 0));
  const data = checkString(args, 1);
  let at = optionalInteger(args, 2, 1) - 1;
  if (at < 0) argumentError(2, 'offset must be 1 or greater');
  const results: LuaValue[] = [];
  const check = (size: number): void => {
    if (size > data.length || at > data.length - size) argumentError(1, 'data string too short');
  };
  for (let option = format.next(); option !== undefined; option = format.next()) {
    let size = format.size(option);
    at += format.padding(at, option, size);
    check(size);
    if (results.length > 7990) fail('stack overflow (too many results)');
    switch (option) {
      case 'b':
      case 'B':
      case 'h':
      case 'H':
      case 'l':
      case 'L':
      case 'T':
      case 'i':
      case 'I':
        results.push(readInteger(data, at, size, format.little, option >= 'a'));
        break;
      case 'x':
        break;
      case 'f':
      case 'd':
        results.push(readFloat(data, at, size, format.little));
        break;
      case 'c':
        if (size === 0) {
          const length = toNumber(results.at(-1));
          if (length === undefined) fail("format 'c0' needs a previous size");
          results.pop();
          size = Math.trunc(length);
          if (!(size >= 0)) argumentError(1, 'data string too short');
          check(size);
        }
        chargeString(size);
        results.push(data.slice(at, at + size));
        break;
      case 's': {
        const end = data.indexOf('\0', at);
        if (end < 0) fail('unfinished string in data');
        chargeString(end - at);
        results.push(data.slice(at, end));
        size = end - at + 1;
        break;
      }
      default:
        format.control(option);
    }
    at += size;
  }
  results.push(at + 1);
  return results;
}

function size(args: Arguments): number {
  const format = new Format(checkString(args, 0));
  let total = 0;
  for (let option = format.next(); option !== undefined; option = format.next()) {
    const bytesOf = format.size(option);
    total += format.padding(total, option, bytesOf);
    if (option === 's') argumentError(0, 'variable-size format in struct.size');
    if (option === 'c' && bytesOf === 0) argumentError(0, 'variable-length format in struct.size');
    if (!/[0-9a-zA-Z]/.test(option)) format.control(option);
    total += bytesOf;
  }
  return total;
}

export const structFunctions: Natives = natives({
  pack: (...args) => pack(args),
  unpack: (...args) => unpack(args),
  size: (...args) => size(args),
});
