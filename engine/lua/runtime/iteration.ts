/**
 * What a generic `for` goes through: tables directly where `next` or the step of `ipairs` would be called,
 * functions else.
 */
import type { Chunk } from '../chunk.js';
import { LuaError } from '../errors.js';
import { counters, sites } from '../limits.js';
import { LuaTable } from '../table.js';
import type { LuaFunction, LuaValue } from '../value.js';
import { callable, values } from './calls.js';
import { checkNativeDepth, frames, positionAt } from './frames.js';

export interface Walk {
  key: LuaValue;
  value: LuaValue;
  /** Moves on; false at the end. */
  next(): boolean;
  /** The loop's variable at a place from 2 on. */
  more(at: number): LuaValue;
}

/** `next`, known by identity. */
export function nextKey(table: LuaValue, key: LuaValue): LuaValue[] | undefined {
  const walked = table as LuaTable;
  const from = walked.positionAfter(key);
  if (from < 0) throw new LuaError("invalid key to 'next'");
  const position = walked.skipEmpty(from);
  return position < 0 ? undefined : [walked.keyAt(position), walked.valueAt(position)];
}

/** Goes through a table by position; finds its place again by key when the table was rebuilt meanwhile. */
class TableWalk implements Walk {
  key: LuaValue = undefined;
  value: LuaValue = undefined;
  private position = -1;
  private nodes: LuaValue[];

  constructor(private readonly table: LuaTable) {
    this.nodes = table.nodes;
  }

  next(): boolean {
    const table = this.table;
    let from = this.position + 1;
    if (from > 0 && (table.nodes !== this.nodes || table.keyAt(this.position) !== this.key)) {
      from = table.positionAfter(this.key);
      if (from < 0) throw new LuaError("invalid key to 'next'");
      this.nodes = table.nodes;
    }
    this.position = table.skipEmpty(from);
    if (this.position < 0) return false;
    this.key = table.keyAt(this.position);
    this.value = table.valueAt(this.position);
    return true;
  }

  more(): undefined {
    return undefined;
  }
}

class ListWalk implements Walk {
  key = 0;
  value: LuaValue = undefined;

  constructor(private readonly table: LuaTable) {}

  next(): boolean {
    this.value = this.table.getNumber(++this.key);
    return this.value !== undefined;
  }

  more(): undefined {
    return undefined;
  }
}

class FunctionWalk implements Walk {
  key: LuaValue;
  value: LuaValue = undefined;
  private results: LuaValue[] = [];

  constructor(
    private readonly step: LuaFunction,
    private readonly state: LuaValue,
    control: LuaValue,
    private readonly depth: number,
    private readonly chunk: Chunk,
    private readonly site: number,
  ) {
    this.key = control;
  }

  next(): boolean {
    const depth = this.depth;
    frames[depth] = this.chunk;
    sites[depth] = this.site;
    if (++counters.c > counters.cMax) checkNativeDepth(positionAt(this.chunk, this.site));
    const result = this.step(this.state, this.key);
    if (Array.isArray(result)) {
      this.results = values(result);
      this.key = this.results[0];
      this.value = this.results[1];
    } else {
      this.key = result;
      this.value = undefined;
      this.results.length = 0;
    }
    counters.c--;
    return this.key !== undefined;
  }

  more(at: number): LuaValue {
    return this.results[at];
  }
}

/** The functions that loops know by identity. */
export const steps: { next: LuaFunction | undefined; ipairs: LuaFunction | undefined } = {
  next: undefined,
  ipairs: undefined,
};

export function iterate(
  step: LuaValue,
  state: LuaValue,
  control: LuaValue,
  depth: number,
  chunk: Chunk,
  site: number,
): Walk {
  if (state instanceof LuaTable) {
    if (step === steps.next && control === undefined) return new TableWalk(state);
    if (step === steps.ipairs && control === 0) return new ListWalk(state);
  }
  const callee = typeof step === 'function' ? step : callable(step, chunk, site);
  return new FunctionWalk(callee, state, control, depth, chunk, site);
}
