/** Metatables: of tables each its own, of strings one for all. */
import { hashString } from '../string-hash.js';
import { LuaTable } from '../table.js';
import type { LuaValue } from '../value.js';

const eventNames = [
  '__index',
  '__newindex',
  '__call',
  '__eq',
  '__lt',
  '__le',
  '__add',
  '__sub',
  '__mul',
  '__div',
  '__mod',
  '__pow',
  '__unm',
  '__len',
  '__concat',
  '__metatable',
  '__tostring',
] as const;

export type EventName = (typeof eventNames)[number];

const hashes = Object.fromEntries(eventNames.map((name) => [name, hashString(name)])) as Record<
  EventName,
  number
>;

/** Of the state whose script runs. */
export const shared: { stringMetatable: LuaTable | undefined } = { stringMetatable: undefined };

export function metatableOf(value: LuaValue): LuaTable | undefined {
  if (value instanceof LuaTable) return value.metatable;
  return typeof value === 'string' ? shared.stringMetatable : undefined;
}

export function metamethod(value: LuaValue, event: EventName): LuaValue {
  return metatableOf(value)?.getString(event, hashes[event]);
}

export function eventOf(metatable: LuaTable, event: EventName): LuaValue {
  return metatable.getString(event, hashes[event]);
}
