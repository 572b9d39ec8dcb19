/**
 * Checks of what natives are given, with 5.1's texts: `bad argument #1 to 'rep' (string expected, got nil)`.
 */

import { formatNumber } from '../numbers.js';
import { calledAs, fail, typeName } from '../runtime/frames.js';
import { chargeString, toNumber } from '../runtime/operators.js';
import { LuaTable } from '../table.js';
import type { LuaFunction, LuaValue } from '../value.js';

export type Arguments = readonly LuaValue[];

/** The error of the argument at a place (from 0). */
export function argumentError(at: number, what: string): never {
  const name = calledAs();
  let number = at + 1;
  const word = /^(\w+) '([\s\S]*)'$/.exec(name);
  if (word?.[1] === 'method') {
    number--;
    if (number === 0) fail(`calling '${word[2]}' on bad self (${what})`);
  }
  fail(`bad argument #${number} to '${word?.[2] ?? '?'}' (${what})`);
}

export function typeError(args: Arguments, at: number, expected: string): never {
  argumentError(at, `${expected} expected, got ${at < args.length ? typeName(args[at]) : 'no value'}`);
}

export function checkAny(args: Arguments, at: number): LuaValue {
  if (at >= args.length) argumentError(at, 'value expected');
  return args[at];
}

export function checkTable(args: Arguments, at: number): LuaTable {
  const value = args[at];
  return value instanceof LuaTable ? value : typeError(args, at, 'table');
}

export function checkFunction(args: Arguments, at: number): LuaFunction {
  const value = args[at];
  return typeof value === 'function' ? value : typeError(args, at, 'function');
}

/** A string, or a number as text. */
export function checkString(args: Arguments, at: number): string {
  const value = args[at];
  if (typeof value === 'string') return value;
  if (typeof value !== 'number') return typeError(args, at, 'string');
  chargeString(16);
  return formatNumber(value);
}

export function optionalString(args: Arguments, at: number, otherwise: string): string {
  return args[at] === undefined ? otherwise : checkString(args, at);
}

export function checkNumber(args: Arguments, at: number): number {
  const value = args[at];
  return typeof value === 'number' ? value : (toNumber(value) ?? typeError(args, at, 'number'));
}

export function optionalNumber(args: Arguments, at: number, otherwise: number): number {
  return args[at] === undefined ? otherwise : checkNumber(args, at);
}

/** A number cut to a 64-bit integer as C casts it on x86: what does not fit becomes the least. */
export function toInteger(value: number): number {
  if (value >= -(2 ** 63) && value < 2 ** 63) return Math.trunc(value) + 0;
  return -(2 ** 63);
}

export function checkInteger(args: Arguments, at: number): number {
  return toInteger(checkNumber(args, at));
}

export function optionalInteger(args: Arguments, at: number, otherwise: number): number {
  return args[at] === undefined ? otherwise : checkInteger(args, at);
}

/** The low 32 bits of a 64-bit integer, signed: C's cast to int. */
export function toInt(integer: number): number {
  return Number.isSafeInteger(integer) ? integer | 0 : Number(BigInt.asIntN(32, BigInt(integer)));
}

export function checkInt(args: Arguments, at: number): number {
  return toInt(checkInteger(args, at));
}

export function optionalInt(args: Arguments, at: number, otherwise: number): number {
  return args[at] === undefined ? otherwise : checkInt(args, at);
}

/** Puts natives into a table, in order: `pairs` shows it. */
export function register(table: LuaTable, natives: Natives): void {
  for (const [name, native] of natives) table.set(name, asNative(native));
}

/** Natives by name, in order. */
export type Natives = readonly (readonly [name: string, native: LuaFunction])[];

export function natives(functions: { readonly [name: string]: LuaFunction }): Natives {
  return Object.entries(functions);
}

/** Marks a function as not compiled from Lua. */
export function asNative(native: LuaFunction): LuaFunction {
  native.native = true;
  return native;
}
