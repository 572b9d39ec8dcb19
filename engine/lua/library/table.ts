/** The table library. */
import { chargeSteps } from '../limits.js';
import { formatNumber } from '../numbers.js';
import { call } from '../runtime/calls.js';
import { fail, typeName } from '../runtime/frames.js';
import { chargeString } from '../runtime/operators.js';
import type { LuaTable } from '../table.js';
import { type LuaFunction, type LuaResult, type LuaValue, noValues } from '../value.js';
import {
  type Arguments,
  checkFunction,
  checkInt,
  checkTable,
  type Natives,
  natives,
  optionalInt,
  optionalString,
} from './arguments.js';
import { checkMutable } from './base.js';
import { sort } from './sort.js';

function insert(args: Arguments): LuaResult {
  const table = checkTable(args, 0);
  const end = table.length() + 1;
  let at = end;
  if (args.length === 3) {
    at = checkInt(args, 1);
    checkMutable(table);
    // Elements beyond the end move, too, when the place lies there.
    const last = at > end ? at : end;
    if (last - at > 0) chargeSteps((last - at) >> 2);
    for (let i = last; i > at; i--) table.setNumber(i, table.getNumber(i - 1));
  } else if (args.length !== 2) fail("wrong number of arguments to 'insert'");
  checkMutable(table);
  table.setNumber(at, args[args.length - 1]);
  return noValues;
}

function remove(args: Arguments): LuaResult {
  const table = checkTable(args, 0);
  const end = table.length();
  let at = optionalInt(args, 1, end);
  if (!(at >= 1 && at <= end)) return noValues;
  chargeSteps((end - at) >> 2);
  const removed = table.getNumber(at);
  checkMutable(table);
  for (; at < end; at++) table.setNumber(at, table.getNumber(at + 1));
  table.setNumber(end, undefined);
  return removed;
}

function concat(args: Arguments): LuaValue {
  const separator = optionalString(args, 1, '');
  const table = checkTable(args, 0);
  const from = optionalInt(args, 2, 1);
  const to = args[3] === undefined ? table.length() : checkInt(args, 3);
  const parts: string[] = [];
  let length = 0;
  for (let at = from; at <= to; at++) {
    const value = table.getNumber(at);
    if (typeof value !== 'string' && typeof value !== 'number') {
      fail(`invalid value (${typeName(value)}) at index ${at} in table for 'concat'`);
    }
    const text = typeof value === 'string' ? value : formatNumber(value);
    length += text.length + separator.length;
    chargeString(text.length + separator.length);
    parts.push(text);
  }
  chargeString(length);
  return parts.join(separator);
}

function maxn(args: Arguments): number {
  const table = checkTable(args, 0);
  let max = 0;
  for (let at = table.skipEmpty(0); at >= 0; at = table.skipEmpty(at + 1)) {
    chargeSteps(1);
    const key = table.keyAt(at);
    if (typeof key === 'number' && key > max) max = key;
  }
  return max;
}

function forEach(table: LuaTable, callback: LuaFunction): LuaResult {
  for (let key: LuaValue; ; ) {
    chargeSteps(1);
    const at = table.skipEmpty(table.positionAfter(key));
    if (at < 0) return noValues;
    key = table.keyAt(at);
    const [result] = call(callback, key, table.valueAt(at));
    if (result !== undefined) return result;
  }
}

function forEachIndex(table: LuaTable, callback: LuaFunction): LuaResult {
  const end = table.length();
  for (let at = 1; at <= end; at++) {
    chargeSteps(1);
    const [result] = call(callback, at, table.getNumber(at));
    if (result !== undefined) return result;
  }
  return noValues;
}

export const tableFunctions: Natives = natives({
  concat: (...args) => concat(args),
  foreach: (...args) => forEach(checkTable(args, 0), checkFunction(args, 1)),
  foreachi: (...args) => forEachIndex(checkTable(args, 0), checkFunction(args, 1)),
  getn: (...args) => checkTable(args, 0).length(),
  maxn: (...args) => maxn(args),
  insert: (...args) => insert(args),
  remove: (...args) => remove(args),
  setn: (...args) => {
    checkTable(args, 0);
    return fail("'setn' is obsolete");
  },
  sort: (...args) => sort(args),
});
