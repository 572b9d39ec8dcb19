/** string.format: C's conversions, as Lua 5.1 passes them to sprintf. */

import { chargeSteps } from '../limits.js';
import { formatExponential, formatFixed, formatGeneral } from '../numbers.js';
import { fail } from '../runtime/frames.js';
import { chargeString } from '../runtime/operators.js';
import { type Arguments, argumentError, checkNumber, checkString, toInteger } from './arguments.js';

/** Steps of one conversion, whatever it makes. */
const conversionSteps = 5;

interface Conversion {
  left: boolean;
  plus: boolean;
  space: boolean;
  alternative: boolean;
  zero: boolean;
  width: number;
  /** -1 when none is given. */
  precision: number;
  letter: string;
}

/** `%q`: a string that Lua reads back. */
function quote(text: string): string {
  const quoted = text.replace(/["\\\n\r\0]/g, (char) =>
    char === '\r' ? '\\r' : char === '\0' ? '\\000' : `\\${char}`,
  );
  return `"${quoted}"`;
}

function pad(text: string, conversion: Conversion, zeros: boolean): string {
  const { width, left } = conversion;
  if (text.length >= width) return text;
  if (left) return text.padEnd(width);
  if (!zeros) return text.padStart(width);
  const prefix = /^[+\- ]?(?:0[xX])?/.exec(text)![0];
  return prefix + text.slice(prefix.length).padStart(width - prefix.length, '0');
}

function withSign(text: string, { plus, space }: Conversion): string {
  if (text.startsWith('-')) return text;
  return (plus ? '+' : space ? ' ' : '') + text;
}

function integer(value: bigint, conversion: Conversion): string {
  const { precision, letter, alternative, zero } = conversion;
  const negative = value < 0n;
  const radix = letter === 'o' ? 8 : letter === 'x' || letter === 'X' ? 16 : 10;
  let digits = (negative ? -value : value).toString(radix);
  if (letter === 'X') digits = digits.toUpperCase();
  if (precision >= 0) digits = precision === 0 && value === 0n ? '' : digits.padStart(precision, '0');
  if (alternative && radix === 8 && !digits.startsWith('0')) digits = `0${digits}`;
  if (alternative && radix === 16 && value !== 0n) digits = `0${letter}${digits}`;
  const text = negative ? `-${digits}` : digits;
  const isSigned = letter === 'd' || letter === 'i';
  return pad(isSigned ? withSign(text, conversion) : text, conversion, zero && precision < 0);
}

function float(value: number, conversion: Conversion): string {
  const { letter, alternative, zero } = conversion;
  const precision = conversion.precision < 0 ? 6 : conversion.precision;
  let text: string;
  switch (letter.toLowerCase()) {
    case 'e':
      text = formatExponential(value, precision, alternative);
      break;
    case 'f':
      text = formatFixed(value, precision, alternative);
      break;
    default:
      text = formatGeneral(value, precision, alternative);
  }
  if (letter === 'E' || letter === 'G') text = text.toUpperCase();
  return pad(withSign(text, conversion), conversion, zero && Number.isFinite(value));
}

/** A double cast to C's unsigned long on x86. */
function toUnsigned(value: number): bigint {
  if (value >= 2 ** 63) {
    return value < 2 ** 64 ? BigInt(value) : 0n;
  }
  return BigInt.asUintN(64, BigInt(toInteger(value)));
}

/** The lowest byte of a double cast to C's int on x86, which makes its least number of what does not fit. */
function toCharCode(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(whole) <= 2 ** 31 ? whole & 255 : 0;
}

/** Reads the conversion that follows a percent sign at `at`; its letter stands at the returned place. */
function readConversion(format: string, at: number): { conversion: Conversion; end: number } {
  const start = at;
  while (at < format.length && '-+ #0'.includes(format.charAt(at))) at++;
  const flags = format.slice(start, at);
  if (flags.length >= 6) fail('invalid format (repeated flags)');
  const digits = (): string => {
    const from = at;
    while (at - from < 2 && /[0-9]/.test(format.charAt(at))) at++;
    return format.slice(from, at);
  };
  const width = digits();
  let precision = -1;
  if (format.charAt(at) === '.') {
    at++;
    precision = Number(digits());
  }
  if (/[0-9]/.test(format.charAt(at))) fail('invalid format (width or precision too long)');
  const conversion = {
    left: flags.includes('-'),
    plus: flags.includes('+'),
    space: flags.includes(' '),
    alternative: flags.includes('#'),
    zero: flags.includes('0'),
    width: Number(width),
    precision,
    letter: format.charAt(at),
  };
  return { conversion, end: at };
}

function untilNul(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

function text(value: string, conversion: Conversion): string {
  const { precision } = conversion;
  // Long strings go in whole, whatever width says.
  if (precision < 0 && value.length >= 100) return value;
  const shown = untilNul(value);
  return pad(precision < 0 ? shown : shown.slice(0, precision), conversion, false);
}

function convert(args: Arguments, at: number, conversion: Conversion): string {
  const { letter } = conversion;
  switch (letter) {
    case 'c':
      return untilNul(pad(String.fromCharCode(toCharCode(checkNumber(args, at))), conversion, false));
    case 'd':
    case 'i':
      return integer(BigInt(toInteger(checkNumber(args, at))), conversion);
    case 'o':
    case 'u':
    case 'x':
    case 'X':
      return integer(toUnsigned(checkNumber(args, at)), conversion);
    case 'e':
    case 'E':
    case 'f':
    case 'g':
    case 'G':
      return float(checkNumber(args, at), conversion);
    case 'q':
      return quote(checkString(args, at));
    case 's':
      return text(checkString(args, at), conversion);
    default:
      return fail(`invalid option '%${letter === '\0' ? '' : letter}' to 'format'`);
  }
}

export function format(args: Arguments): string {
  const source = checkString(args, 0);
  let out = '';
  let argument = 0;
  for (let at = 0; at < source.length; ) {
    const next = source.indexOf('%', at);
    if (next < 0) {
      out += source.slice(at);
      break;
    }
    out += source.slice(at, next);
    at = next + 1;
    if (source.charAt(at) === '%') {
      out += '%';
      at++;
      continue;
    }
    argument++;
    chargeSteps(conversionSteps);
    if (argument >= args.length) argumentError(argument, 'no value');
    const { conversion, end } = readConversion(source, at);
    const piece = convert(args, argument, conversion);
    chargeString(piece.length);
    out += piece;
    at = end + 1;
  }
  chargeString(out.length);
  return out;
}
