/** How Lua's values are represented in JavaScript, and what is said of their types. */

/**
 * A Lua value. nil is undefined; a string is a JavaScript string of char codes 0 to 255, one a byte; a table,
 * a thread and a light userdata are classes that implement {@link LuaObject}.
 */
export type LuaValue = undefined | boolean | number | string | LuaFunction | LuaObject;

/**
 * What a function returns: one value as it is; none, or more than one, as an array. A value itself is never
 * an array. An array may also be a call still to be made: see runtime/calls.ts, whose `values` and `first`
 * read any result.
 */
export type LuaResult = LuaValue | LuaValue[];

/**
 * A function of Lua: takes its arguments by position; those not given are nil. `native` marks one that was
 * not compiled from Lua, `twin` is its form as a generator, in scripts that may use coroutines.
 */
export interface LuaFunction {
  (...values: LuaValue[]): LuaResult;
  native?: boolean;
  twin?: LuaGeneratorFunction;
  id?: number;
}

/** What a coroutine yields: the values for its resumer; it is given those of the next resume. */
export type LuaGenerator = Generator<LuaValue[], LuaResult, LuaValue[]>;
export type LuaGeneratorFunction = (...values: LuaValue[]) => LuaGenerator;

/**
 * A value that is equal to itself alone: a table (see table.ts), a coroutine, or a light userdata such as
 * cjson.null.
 */
export interface LuaObject {
  readonly typeName: 'table' | 'thread' | 'userdata';
  /** Address that tostring shows and hashing uses; 0 until it is asked for. */
  id: number;
}

/** A light userdata: an opaque value. */
export class LightUserdata implements LuaObject {
  readonly typeName = 'userdata';
  id = 0;
}

/** The result of a function that returns no value. */
export const noValues: LuaValue[] = [];
Object.freeze(noValues);

/** Whether a value counts as true in a condition. */
export function isTruthy(value: LuaValue): boolean {
  return value !== undefined && value !== false;
}
