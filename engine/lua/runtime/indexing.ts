/** Reading and writing fields, with their metamethods; and what table constructors do. */
import type { Chunk } from '../chunk.js';
import { chargeBytes, counters } from '../limits.js';
import { LuaTable } from '../table.js';
import type { LuaValue } from '../value.js';
import { callHandler } from './calls.js';
import { failAt, typeName } from './frames.js';
import { eventOf, metamethod } from './metatables.js';

/** Longest chain of `__index` or `__newindex` tables. */
const chainMax = 100;

/** "attempt to `action` local 'x' (a nil value)": names the operand at `operand` of a site. */
export function failType(action: string, value: LuaValue, chunk: Chunk, site: number, operand = 0): never {
  const name = operand < 0 ? '' : (chunk.site(site).names[operand] ?? '');
  const type = typeName(value);
  failAt(
    chunk,
    site,
    `attempt to ${action} ${name === '' ? `a ${type} value` : `${name} (a ${type} value)`}`,
  );
}

/** object[key] of a string constant whose hash is known. */
export function field(object: LuaValue, key: string, hash: number, chunk: Chunk, site: number): LuaValue {
  if (object instanceof LuaTable) {
    const value = object.getString(key, hash);
    if (value !== undefined || object.metatable === undefined) return value;
  }
  return indexSlow(object, key, chunk, site);
}

/** object[key]. */
export function index(object: LuaValue, key: LuaValue, chunk: Chunk, site: number): LuaValue {
  if (object instanceof LuaTable) {
    const value = typeof key === 'number' ? object.getNumber(key) : object.get(key);
    if (value !== undefined || object.metatable === undefined) return value;
  }
  return indexSlow(object, key, chunk, site);
}

function indexSlow(object: LuaValue, key: LuaValue, chunk: Chunk, site: number): LuaValue {
  for (let links = 0; links < chainMax; links++) {
    let handler: LuaValue;
    if (object instanceof LuaTable) {
      const value = object.get(key);
      if (value !== undefined || object.metatable === undefined) return value;
      handler = eventOf(object.metatable, '__index');
      if (handler === undefined) return undefined;
    } else {
      handler = metamethod(object, '__index');
      if (handler === undefined) failType('index', object, chunk, site, links === 0 ? 0 : -1);
    }
    if (typeof handler === 'function') return callHandler(handler, chunk, site, object, key);
    object = handler;
  }
  return failAt(chunk, site, 'loop in gettable');
}

/** object[key] = value of a string constant whose hash is known. */
export function setField(
  object: LuaValue,
  key: string,
  hash: number,
  value: LuaValue,
  chunk: Chunk,
  site: number,
): void {
  if (object instanceof LuaTable && object.metatable === undefined && !object.readonly) {
    object.setString(key, hash, value);
  } else setSlow(object, key, value, chunk, site);
}

/** object[key] = value. */
export function setIndex(object: LuaValue, key: LuaValue, value: LuaValue, chunk: Chunk, site: number): void {
  if (object instanceof LuaTable && object.metatable === undefined && !object.readonly) {
    if (typeof key === 'string') object.set(key, value);
    else put(object, key, value, chunk, site);
  } else setSlow(object, key, value, chunk, site);
}

/** Sets a field without metamethods. */
export function put(table: LuaTable, key: LuaValue, value: LuaValue, chunk: Chunk, site: number): void {
  if (typeof key === 'number') {
    if (Number.isNaN(key)) failAt(chunk, site, 'table index is NaN');
    table.setNumber(key, value);
  } else {
    if (key === undefined) failAt(chunk, site, 'table index is nil');
    table.set(key, value);
  }
}

function setSlow(object: LuaValue, key: LuaValue, value: LuaValue, chunk: Chunk, site: number): void {
  for (let links = 0; links < chainMax; links++) {
    let handler: LuaValue;
    if (object instanceof LuaTable) {
      if (object.readonly) failAt(chunk, site, 'Attempt to modify a readonly table');
      handler =
        object.metatable === undefined || object.get(key) !== undefined
          ? undefined
          : eventOf(object.metatable, '__newindex');
      // 5.1 makes room for the key even when the handler takes over.
      put(object, key, handler === undefined ? value : undefined, chunk, site);
      if (handler === undefined) return;
    } else {
      handler = metamethod(object, '__newindex');
      if (handler === undefined) failType('index', object, chunk, site, links === 0 ? 0 : -1);
    }
    if (typeof handler === 'function') {
      callHandler(handler, chunk, site, object, key, value);
      return;
    }
    object = handler;
  }
  failAt(chunk, site, 'loop in settable');
}

/** A table of a list, with room for `size` elements. */
export function list(elements: LuaValue[], size: number): LuaTable {
  const table = new LuaTable();
  const { length } = elements;
  const room = Math.max(size, length);
  counters.b -= room * 8;
  if (counters.b < 0) chargeBytes(0);
  for (let at = length; at < room; at++) elements.push(undefined);
  table.array = elements;
  return table;
}

/** Puts elements behind the first `stored` of a list. */
export function addList(table: LuaTable, elements: LuaValue[], stored: number): void {
  table.reserveArray(stored + elements.length);
  elements.forEach((element, at) => {
    table.array[stored + at] = element;
  });
}

/** The table `arg` of a function that takes `...` and does not name it. */
export function argumentTable(varargs: readonly LuaValue[]): LuaTable {
  const table = new LuaTable(varargs.length, 1);
  varargs.forEach((value, at) => {
    table.array[at] = value;
  });
  table.set('n', varargs.length);
  return table;
}
