/** Replies as Lua values and Lua values as replies, by the rules of Redis's scripting manual. */
import { chargeBytes, chargeSteps, LuaTable, type LuaValue } from '../lua/index.js';
import { formatDouble } from '../numbers/double.js';
import {
  Attributed,
  BigNumber,
  Bool,
  Double,
  ErrorReply,
  MapReply,
  NullArray,
  OK,
  PairMap,
  Pairs,
  type Push,
  type Reply,
  SetReply,
  Status,
  Verbatim,
} from '../protocol/reply.js';
import { View } from '../protocol/view.js';
import { stepsOfBytes } from './steps.js';

/** What scripts see of replies: redis.setresp. */
export type ScriptProtocol = 2 | 3;

/** Arrays in arrays of a script's result, at most. */
const NESTING_MAX = 1000;

const tooDeep = new ErrorReply('ERR reached lua stack limit');

function record(name: string, value: LuaValue): LuaTable {
  const table = new LuaTable(0, 1);
  table.set(name, value);
  return table;
}

/** The error table that scripts get for an error reply. */
export function errorTable(text: string): LuaTable {
  const table = new LuaTable(0, 2);
  table.set('err', text);
  table.set('ignore_error_stats_update', true);
  return table;
}

/** Whether an error table is that of a command that a script has called. */
export const isRepeated = (table: LuaTable): boolean => table.get('ignore_error_stats_update') === true;

/** The table that redis.error_reply and redis.status_reply give. */
export const fieldTable = record;

/** Strings of replies are the script's to pay for, before they are made. */
function textOf(view: View): string {
  charged(view.length, '');
  return view.latin1();
}

function charged(bytes: number, text: string): string {
  chargeBytes(bytes);
  chargeSteps(stepsOfBytes(bytes));
  return text;
}

/** What an element of a reply takes. */
const STEPS_PER_ELEMENT = 8;

export function toLua(reply: Reply, protocol: ScriptProtocol): LuaValue {
  if (typeof reply === 'number') return reply;
  if (typeof reply === 'string') return charged(reply.length, reply);
  if (reply instanceof View) return textOf(reply);
  if (reply === null || reply instanceof NullArray) return protocol === 2 ? false : undefined;
  if (typeof reply === 'bigint') return Number(reply);
  if (Array.isArray(reply)) return list(reply, protocol);
  if (Buffer.isBuffer(reply)) return textOf(new View(reply, 0, reply.length));
  if (reply instanceof Status) return record('ok', reply.text);
  if (reply instanceof ErrorReply) return errorTable(reply.text);
  if (reply instanceof Attributed) return toLua(reply.reply, protocol);
  return protocol === 2 ? toLua2(reply) : toLua3(reply);
}

type Typed = Double | Bool | BigNumber | Verbatim | MapReply | SetReply | Pairs | PairMap | Push;

function toLua2(reply: Reply): LuaValue {
  const typed = reply as Typed;
  if (typed instanceof Double) return typed.text ?? formatDouble(typed.value);
  if (typed instanceof Bool) return typed.value ? 1 : 0;
  if (typed instanceof BigNumber || typed instanceof Verbatim) return typed.text;
  return list(typed instanceof PairMap ? inTwos(typed.items) : typed.items, 2);
}

function toLua3(reply: Reply): LuaValue {
  const typed = reply as Typed;
  if (typed instanceof Double) return record('double', typed.value);
  if (typed instanceof Bool) return typed.value;
  if (typed instanceof BigNumber) return record('big_number', typed.text);
  if (typed instanceof Verbatim) {
    const table = new LuaTable(0, 2);
    table.set('format', typed.format);
    table.set('string', typed.text);
    return record('verbatim_string', table);
  }
  if (typed instanceof MapReply || typed instanceof PairMap) {
    const map = new LuaTable();
    chargeSteps(STEPS_PER_ELEMENT * typed.items.length);
    for (let i = 0; i + 1 < typed.items.length; i += 2)
      setField(map, toLua(typed.items[i], 3), toLua(typed.items[i + 1], 3));
    return record('map', map);
  }
  if (typed instanceof SetReply) {
    const set = new LuaTable();
    chargeSteps(STEPS_PER_ELEMENT * typed.items.length);
    for (const item of typed.items) setField(set, toLua(item, 3), true);
    return record('set', set);
  }
  return list(typed instanceof Pairs ? inTwos(typed.items) : typed.items, 3);
}

function setField(table: LuaTable, key: LuaValue, value: LuaValue): void {
  if (key !== undefined && !Number.isNaN(key)) table.set(key, value);
}

function inTwos(items: readonly Reply[]): Reply[] {
  const pairs: Reply[] = [];
  for (let i = 0; i + 1 < items.length; i += 2) pairs.push([items[i], items[i + 1]]);
  return pairs;
}

function list(items: readonly Reply[], protocol: ScriptProtocol): LuaTable {
  chargeSteps(STEPS_PER_ELEMENT * items.length);
  // What is nil takes no place.
  const table = protocol === 2 ? LuaTable.forList(items.length) : new LuaTable();
  for (let i = 0; i < items.length; i++) table.setNumber(i + 1, toLua(items[i], protocol));
  return table;
}

/**
 * What a script returns as the client's reply.
 *
 * @param foundError called for each error within the reply: not for a reply that is an error itself
 * @throws ErrorReply for arrays that nest too deep
 */
export function fromLua(
  value: LuaValue,
  protocol: ScriptProtocol,
  foundError: (error: ErrorReply) => void,
  depth = 0,
): Reply {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      return integer(value);
    case 'boolean':
      if (protocol === 3) return new Bool(value);
      return value ? 1 : null;
    default:
      if (!(value instanceof LuaTable)) return null;
      if (depth > NESTING_MAX) throw tooDeep;
      return tableReply(value, protocol, foundError, depth);
  }
}

/** As C casts it on x86: what does not fit becomes the least. */
function integer(value: number): Reply {
  if (Number.isSafeInteger(value)) return value + 0;
  if (value >= -(2 ** 63) && value < 2 ** 63) {
    const whole = Math.trunc(value) + 0;
    return Number.isSafeInteger(whole) ? whole : BigInt(whole);
  }
  return -(2n ** 63n);
}

const oneLine = (text: string): string => text.replace(/[\r\n]/g, ' ');

/** Fields are read without metamethods, as Redis does. */
function tableReply(
  table: LuaTable,
  protocol: ScriptProtocol,
  foundError: (error: ErrorReply) => void,
  depth: number,
): Reply {
  const error = table.get('err');
  if (typeof error === 'string') {
    const reply = new ErrorReply(oneLine(error), isRepeated(table));
    if (depth > 0) foundError(reply);
    return reply;
  }
  const status = table.get('ok');
  if (typeof status === 'string') return status === 'OK' ? OK : new Status(oneLine(status));
  const double = table.get('double');
  if (typeof double === 'number') return new Double(double);
  const map = table.get('map');
  const convert = (item: LuaValue): Reply => fromLua(item, protocol, foundError, depth + 1);
  if (map instanceof LuaTable) return new MapReply(entries(map, convert, true));
  const set = table.get('set');
  if (set instanceof LuaTable) return new SetReply(entries(set, convert, false));
  const bigNumber = table.get('big_number');
  if (typeof bigNumber === 'string') return new BigNumber(oneLine(bigNumber));
  const verbatim = table.get('verbatim_string');
  if (verbatim instanceof LuaTable) {
    const text = verbatim.get('string');
    const format = verbatim.get('format');
    if (typeof text === 'string' && typeof format === 'string')
      return new Verbatim(format.slice(0, 3) as 'txt', text);
  }
  const items: Reply[] = [];
  for (let i = 1; ; i++) {
    const item = table.get(i);
    if (item === undefined) return items;
    items.push(convert(item));
  }
}

function entries(table: LuaTable, convert: (item: LuaValue) => Reply, withValues: boolean): Reply[] {
  const items: Reply[] = [];
  for (let at = table.skipEmpty(0); at >= 0; at = table.skipEmpty(at + 1)) {
    items.push(convert(table.keyAt(at)));
    if (withValues) items.push(convert(table.valueAt(at)));
  }
  return items;
}
