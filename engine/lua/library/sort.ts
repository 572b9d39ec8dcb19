/**
 * table.sort: the quicksort of Lua 5.1, comparison by comparison, since which of equal elements comes first
 * and what a comparator that contradicts itself leads to can be seen.
 */

import { nativeFrame } from '../chunk.js';
import { chargeSteps, counters } from '../limits.js';
import { first } from '../runtime/calls.js';
import { enterNative, fail, leaveNative } from '../runtime/frames.js';
import { chargeOrder, lt } from '../runtime/operators.js';
import type { LuaTable } from '../table.js';
import { isTruthy, type LuaFunction, type LuaResult, type LuaValue, noValues } from '../value.js';
import { type Arguments, checkTable, typeError } from './arguments.js';
import { checkMutable } from './base.js';

type Less = (a: LuaValue, b: LuaValue) => boolean;

function naturalLess(a: LuaValue, b: LuaValue): boolean {
  counters.s--;
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeof a === 'string' && typeof b === 'string') {
    chargeOrder(a, b);
    return a < b;
  }
  enterNative();
  const result = lt(a, b, nativeFrame, 0);
  leaveNative();
  return result;
}

function lessBy(comparator: LuaFunction): Less {
  return (a, b) => {
    enterNative();
    const result = isTruthy(first(comparator(a, b)));
    leaveNative();
    return result;
  };
}

export function sort(args: Arguments): LuaResult {
  const table = checkTable(args, 0);
  const length = table.length();
  let less: Less = naturalLess;
  if (args[1] !== undefined) {
    const comparator = args[1];
    if (typeof comparator !== 'function') return typeError(args, 1, 'function');
    less = lessBy(comparator);
  }
  if (length > 1) checkMutable(table);
  sortRange(table, 1, length, less);
  return noValues;
}

function swap(table: LuaTable, i: number, j: number): void {
  const value = table.getNumber(i);
  table.setNumber(i, table.getNumber(j));
  table.setNumber(j, value);
}

function sortRange(table: LuaTable, low: number, high: number, less: Less): void {
  while (low < high) {
    chargeSteps(1);
    if (less(table.getNumber(high), table.getNumber(low))) swap(table, low, high);
    if (high - low === 1) return;
    const middle = Math.floor((low + high) / 2);
    if (less(table.getNumber(middle), table.getNumber(low))) swap(table, middle, low);
    else if (less(table.getNumber(high), table.getNumber(middle))) swap(table, middle, high);
    if (high - low === 2) return;
    const pivot = table.getNumber(middle);
    swap(table, middle, high - 1);
    let i = low;
    let j = high - 1;
    for (;;) {
      while (less(table.getNumber(++i), pivot)) {
        if (i > high) fail('invalid order function for sorting');
      }
      while (less(pivot, table.getNumber(--j))) {
        if (j < low) fail('invalid order function for sorting');
      }
      if (j < i) break;
      swap(table, i, j);
    }
    swap(table, high - 1, i);
    // The smaller half recurses: the depth stays logarithmic.
    if (i - low < high - i) {
      sortRange(table, low, i - 1, less);
      low = i + 1;
    } else {
      sortRange(table, i + 1, high, less);
      high = i - 1;
    }
  }
}
