/**
 * The grammar of C's strtod and strtold, which decides what Redis takes for a float: decimal and hexadecimal
 * floats, "inf", "infinity", "nan", "nan(...)", in any case, after blanks and a sign.
 */

export const FloatKind = { none: 0, decimal: 1, hexadecimal: 2, infinity: 3, nan: 4 } as const;

/** What a scan found. One object is reused: read it before the next scan. */
export interface FloatSyntax {
  /** One of {@link FloatKind}. */
  kind: number;
  negative: boolean;
  /** Where the digits (or the word) begin, behind the sign and behind "0x". */
  from: number;
  /** Where the significant digits end and a decimal or binary exponent may begin. */
  digitsEnd: number;
  /** Where the number ends; equal to the scan's start when there is none. */
  end: number;
}

const found: FloatSyntax = { kind: FloatKind.none, negative: false, from: 0, digitsEnd: 0, end: 0 };

/** Whether a character code is white space to C's isspace. */
export function isSpaceCode(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

function isDigitCode(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isHexCode(code: number): boolean {
  return isDigitCode(code) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
}

function wordAt(text: string, at: number, lowercaseWord: string): boolean {
  for (let i = 0; i < lowercaseWord.length; i++) {
    if ((text.charCodeAt(at + i) | 0x20) !== lowercaseWord.charCodeAt(i)) return false;
  }
  return text.length >= at + lowercaseWord.length;
}

/** Finds the longest float at the start of `text` from `at`, blanks skipped. */
export function scanFloat(text: string, at: number): FloatSyntax {
  const start = at;
  found.kind = FloatKind.none;
  found.end = start;
  found.negative = false;
  while (isSpaceCode(text.charCodeAt(at))) at++;
  const sign = text.charCodeAt(at);
  if (sign === 0x2d || sign === 0x2b) {
    found.negative = sign === 0x2d;
    at++;
  }
  const first = text.charCodeAt(at);
  if (first === 0x30 && (text.charCodeAt(at + 1) | 0x20) === 0x78 && scanHexadecimal(text, at + 2))
    return found;
  if (isDigitCode(first) || first === 0x2e) {
    scanDecimal(text, at);
    return found;
  }
  if (wordAt(text, at, 'inf')) {
    found.kind = FloatKind.infinity;
    found.from = at;
    found.end = wordAt(text, at, 'infinity') ? at + 8 : at + 3;
  } else if (wordAt(text, at, 'nan')) {
    found.kind = FloatKind.nan;
    found.from = at;
    found.end = at + 3;
    if (text.charCodeAt(found.end) === 0x28) {
      let close = found.end + 1;
      while (isHexCode(text.charCodeAt(close)) || /[0-9A-Za-z_]/.test(text.charAt(close))) close++;
      if (text.charCodeAt(close) === 0x29) found.end = close + 1;
    }
  }
  return found;
}

function scanDecimal(text: string, at: number): void {
  const from = at;
  let digits = 0;
  for (; isDigitCode(text.charCodeAt(at)); at++) digits++;
  if (text.charCodeAt(at) === 0x2e) {
    at++;
    for (; isDigitCode(text.charCodeAt(at)); at++) digits++;
  }
  if (digits === 0) return;
  found.kind = FloatKind.decimal;
  found.from = from;
  found.digitsEnd = at;
  found.end = scanExponent(text, at, 0x65);
}

function scanHexadecimal(text: string, at: number): boolean {
  const from = at;
  let digits = 0;
  for (; isHexCode(text.charCodeAt(at)); at++) digits++;
  if (text.charCodeAt(at) === 0x2e) {
    at++;
    for (; isHexCode(text.charCodeAt(at)); at++) digits++;
  }
  if (digits === 0) return false;
  found.kind = FloatKind.hexadecimal;
  found.from = from;
  found.digitsEnd = at;
  found.end = scanExponent(text, at, 0x70);
  return true;
}

/** The end of an exponent at `at`, or `at` itself when none stands there. */
function scanExponent(text: string, at: number, lowercaseLetter: number): number {
  if ((text.charCodeAt(at) | 0x20) !== lowercaseLetter) return at;
  let digit = at + 1;
  const sign = text.charCodeAt(digit);
  if (sign === 0x2d || sign === 0x2b) digit++;
  if (!isDigitCode(text.charCodeAt(digit))) return at;
  while (isDigitCode(text.charCodeAt(digit))) digit++;
  return digit;
}

/** The exponent of a scanned number, clamped to +-10^8 so that sums with digit counts stay exact. */
export function exponentOf(text: string, syntax: FloatSyntax): number {
  if (syntax.end === syntax.digitsEnd) return 0;
  const exponent = Number(text.slice(syntax.digitsEnd + 1, syntax.end));
  return Math.max(-1e8, Math.min(1e8, exponent));
}
