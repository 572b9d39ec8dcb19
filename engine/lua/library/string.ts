/** The string library. */

import { nativeFrame } from '../chunk.js';
import { chargeSteps, counters } from '../limits.js';
import { formatNumber } from '../numbers.js';
import { call } from '../runtime/calls.js';
import { fail, typeName } from '../runtime/frames.js';
import { index } from '../runtime/indexing.js';
import { chargeString } from '../runtime/operators.js';
import { LuaTable } from '../table.js';
import { isTruthy, type LuaFunction, type LuaResult, type LuaValue, noValues } from '../value.js';
import {
  type Arguments,
  argumentError,
  asNative,
  checkFunction,
  checkInt,
  checkInteger,
  checkString,
  type Natives,
  natives,
  optionalInt,
  optionalInteger,
} from './arguments.js';
import { resultsMax } from './base.js';
import { format } from './format.js';
import { isPlain, Matcher } from './patterns.js';

/** A position that may count from the end, as one from the start; 0 when it lies before it. */
function fromStart(position: number, length: number): number {
  if (position < 0) position += length + 1;
  return position >= 0 ? position : 0;
}

function sub(args: Arguments): string {
  const text = checkString(args, 0);
  const start = Math.max(fromStart(checkInteger(args, 1), text.length), 1);
  const end = Math.min(fromStart(optionalInteger(args, 2, -1), text.length), text.length);
  if (start > end) return '';
  chargeString(end - start + 1);
  return text.slice(start - 1, end);
}

function byte(args: Arguments): LuaResult {
  const text = checkString(args, 0);
  const first = fromStart(optionalInteger(args, 1, 1), text.length);
  const last = Math.min(fromStart(optionalInteger(args, 2, first), text.length), text.length);
  const start = Math.max(first, 1);
  if (start > last) return noValues;
  if (start === last) return text.charCodeAt(start - 1);
  if (last - start + 1 > resultsMax - args.length) fail('stack overflow (string slice too long)');
  chargeSteps((last - start) >> 3);
  const codes: LuaValue[] = [];
  for (let at = start; at <= last; at++) codes.push(text.charCodeAt(at - 1));
  return codes;
}

function char(args: Arguments): string {
  let out = '';
  for (let at = 0; at < args.length; at++) {
    const code = checkInt(args, at);
    if (code < 0 || code > 255) argumentError(at, 'invalid value');
    out += String.fromCharCode(code);
  }
  chargeString(out.length);
  return out;
}

function rep(args: Arguments): string {
  const text = checkString(args, 0);
  const count = checkInt(args, 1);
  if (count <= 0 || text === '') return '';
  chargeString(text.length * count);
  return text.repeat(count);
}

function reverse(args: Arguments): string {
  const text = checkString(args, 0);
  chargeString(text.length);
  counters.s -= text.length >> 4;
  return Buffer.from(text, 'latin1').reverse().latin1Slice();
}

/** Letters of ASCII only: JavaScript would change others, too. */
function changeCase(args: Arguments, letters: RegExp, change: (text: string) => string): string {
  const text = checkString(args, 0);
  chargeString(text.length);
  return text.replace(letters, change);
}

// Patterns

function find(args: Arguments, captures: boolean): LuaResult {
  const text = checkString(args, 0);
  const pattern = checkString(args, 1);
  const from = Math.min(Math.max(fromStart(optionalInteger(args, 2, 1), text.length) - 1, 0), text.length);
  if (!captures && (isTruthy(args[3]) || isPlain(pattern))) return findPlain(text, pattern, from);
  const matcher = new Matcher(text, pattern);
  const anchored = pattern.startsWith('^');
  for (let start = from; start <= text.length; start++) {
    const end = matcher.start(start, anchored ? 1 : 0);
    if (end >= 0) {
      return captures
        ? matcher.captures(start, end, true)
        : [start + 1, end, ...matcher.captures(start, end, false)];
    }
    if (anchored) break;
  }
  return undefined;
}

function findPlain(text: string, pattern: string, from: number): LuaResult {
  const at = text.indexOf(pattern, from);
  chargeSteps(((at < 0 ? text.length : at) - from + pattern.length) >> 4);
  return at < 0 ? undefined : [at + 1, at + pattern.length];
}

function gmatch(args: Arguments): LuaFunction {
  const text = checkString(args, 0);
  const pattern = checkString(args, 1);
  const matcher = new Matcher(text, pattern);
  let from = 0;
  return asNative(() => {
    for (let start = from; start <= text.length; start++) {
      const end = matcher.start(start, 0);
      if (end >= 0) {
        from = end === start ? end + 1 : end;
        return matcher.captures(start, end, true);
      }
    }
    from = text.length + 1;
    return noValues;
  });
}

/** Also known by its name of 5.0, `gfind`. */
const gmatchFunction: LuaFunction = (...args) => gmatch(args);

type Replace = (matcher: Matcher, from: number, to: number) => LuaValue;

/** A replacement text with `%1` and the like. */
function expand(replacement: string, matcher: Matcher, from: number, to: number): string {
  let out = '';
  for (let at = 0; at < replacement.length; at++) {
    const next = replacement.indexOf('%', at);
    if (next < 0) return out + replacement.slice(at);
    out += replacement.slice(at, next);
    at = next + 1;
    const code = replacement.charCodeAt(at);
    if (code >= 48 && code <= 57) {
      const captured = code === 48 ? matcher.whole(from, to) : matcher.capture(code - 49, from, to);
      out += captured;
      chargeString(out.length);
    } else out += at < replacement.length ? replacement.charAt(at) : '\0';
  }
  return out;
}

function replacer(args: Arguments): Replace {
  const [, , replacement] = args;
  if (typeof replacement === 'function') {
    return (matcher, from, to) => call(replacement, ...matcher.captures(from, to, true))[0];
  }
  if (replacement instanceof LuaTable) {
    return (matcher, from, to) => index(replacement, matcher.capture(0, from, to), nativeFrame, 0);
  }
  if (typeof replacement !== 'string' && typeof replacement !== 'number') {
    return argumentError(2, 'string/function/table expected');
  }
  const text = checkString(args, 2);
  if (!text.includes('%')) return () => text;
  return (matcher, from, to) => expand(text, matcher, from, to);
}

function gsub(args: Arguments): LuaResult {
  const text = checkString(args, 0);
  const pattern = checkString(args, 1);
  const replace = replacer(args);
  const most = optionalInt(args, 3, text.length + 1);
  const matcher = new Matcher(text, pattern);
  const anchored = pattern.startsWith('^');
  const parts: string[] = [];
  let length = 0;
  let count = 0;
  let at = 0;
  let copied = 0;
  const push = (part: string): void => {
    length += part.length;
    chargeString(part.length);
    parts.push(part);
  };
  while (count < most) {
    const end = matcher.start(at, anchored ? 1 : 0);
    if (end >= 0) {
      count++;
      const value = replace(matcher, at, end);
      if (isTruthy(value)) {
        if (typeof value !== 'string' && typeof value !== 'number') {
          fail(`invalid replacement value (a ${typeName(value)})`);
        }
        if (at > copied) push(text.slice(copied, at));
        push(typeof value === 'string' ? value : formatNumber(value));
        copied = end;
      }
    }
    if (end > at) at = end;
    else if (at < text.length) at++;
    else break;
    if (anchored) break;
  }
  if (copied < text.length) push(text.slice(copied));
  chargeString(length);
  return [parts.join(''), count];
}

export const stringFunctions: Natives = natives({
  byte: (...args) => byte(args),
  char: (...args) => char(args),
  dump: (...args) => {
    checkFunction(args, 0);
    return fail('unable to dump given function');
  },
  find: (...args) => find(args, false),
  format: (...args) => format(args),
  gfind: gmatchFunction,
  gmatch: gmatchFunction,
  gsub: (...args) => gsub(args),
  len: (...args) => checkString(args, 0).length,
  lower: (...args) => changeCase(args, /[A-Z]+/g, (text) => text.toLowerCase()),
  match: (...args) => find(args, true),
  rep: (...args) => rep(args),
  reverse: (...args) => reverse(args),
  sub: (...args) => sub(args),
  upper: (...args) => changeCase(args, /[a-z]+/g, (text) => text.toUpperCase()),
});
