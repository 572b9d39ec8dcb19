/** Strings as bits. What is done to the bytes stands in values/bits.ts and values/bitfield.ts. */
import { type ReadContext, read, type WriteContext, write } from '../command/command.js';
import { type Int64, parseInt64, parseInt64Bytes } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { Settings } from '../settings.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import {
  addToBitfield,
  type BitfieldType,
  type Overflow,
  readBitfield,
  writeBitfield,
} from '../values/bitfield.js';
import {
  type BitOperation,
  type ByteRange,
  combineBits,
  countBitRange,
  countBits,
  findBit,
  getBit,
  invertBits,
  setBit,
} from '../values/bits.js';

const value = new View();
const noBytes = new View();

// ---- single bits ----

/**
 * Redis's longest string has so many bytes more than ours: bits there read as 0, as everywhere behind a
 * string's end.
 */
const UNWRITABLE_BYTES = 24;

/** An offset in bits within Redis's longest string. Throws Redis's error for all others. */
function checkedOffset(offset: Int64 | undefined, settings: Settings): number {
  const limit = (settings['proto-max-bulk-len'] + UNWRITABLE_BYTES) * 8;
  if (offset === undefined || offset < 0 || offset >= limit) throw errors.bitOffset;
  return Number(offset);
}

/** Throws when bits up to `end` would make a string too long. */
function checkWritable(end: number, settings: Settings): void {
  if (end > settings['proto-max-bulk-len'] * 8) throw errors.bitOffset;
}

/** Bytes of the string in `slot`, none when the key is absent. Throws WRONGTYPE. */
const stringIn = (database: ReadableDatabase, slot: Slot): View =>
  slot === ABSENT ? noBytes : database.stringAt(slot, value);

function getbit(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  const offset = checkedOffset(request.int64OrUndefined(2), context.keyspace.settings);
  const { buffer, start, length } = stringIn(database, database.lookup(request.view(1)));
  return getBit(buffer, start, length, offset);
}

function setbit(request: Request, database: Database, context: WriteContext): Reply {
  const offset = checkedOffset(request.int64OrUndefined(2), context.keyspace.settings);
  checkWritable(offset + 1, context.keyspace.settings);
  const bit = request.int64OrUndefined(3);
  if (bit !== 0 && bit !== 1) throw errors.bitNotInteger;
  const key = request.view(1);
  let slot = database.lookup(key);
  const isNew = slot === ABSENT;
  const oldLength = stringIn(database, slot).length;
  if (isNew) slot = database.setString(key, noBytes);
  const byte = Math.floor(offset / 8);
  const target = database.editString(slot, byte + 1, byte, byte + 1, value);
  const before = setBit(target.buffer, target.start, offset, bit);
  if (isNew || byte >= oldLength || before !== bit) database.changed(key, keyEvents.setbit);
  return before;
}

// ---- ranges of bits ----

/** A range as BITCOUNT and BITPOS take it: ends included, in bytes or in bits. */
interface IndexRange {
  start: number;
  end: number;
  isBits: boolean;
}

const range: IndexRange = { start: 0, end: 0, isBits: false };

/** Whether argument `index` says that a range counts in bits. Throws a syntax error. */
function unitIsBits(request: Request, index: number): boolean {
  if (request.is(index, 'BIT')) return true;
  if (request.is(index, 'BYTE')) return false;
  throw errors.syntax;
}

/** Brings a range's ends into the string, the negative ones counted from its end. */
function clampRange(lengthBytes: number): IndexRange {
  const length = range.isBits ? lengthBytes * 8 : lengthBytes;
  if (range.start < 0) range.start = Math.max(0, length + range.start);
  if (range.end < 0) range.end = Math.max(0, length + range.end);
  range.end = Math.min(range.end, length - 1);
  return range;
}

function bitcount(request: Request, database: ReadableDatabase): Reply {
  const slot = database.lookup(request.view(1));
  if (slot === ABSENT) return 0;
  const string = database.stringAt(slot, value);
  if (request.count === 2) return countBits(string.buffer, string.start, string.end);
  if (request.count !== 4 && request.count !== 5) throw errors.syntax;
  range.start = request.integer(2);
  range.end = request.integer(3);
  if (range.start < 0 && range.end < 0 && range.start > range.end) return 0;
  range.isBits = request.count === 5 && unitIsBits(request, 4);
  const { start, end, isBits } = clampRange(string.length);
  if (start > end) return 0;
  return isBits
    ? countBitRange(string.buffer, string.start, start, end)
    : countBits(string.buffer, string.start + start, string.start + end + 1);
}

function bitpos(request: Request, database: ReadableDatabase): Reply {
  const bit = request.int64(2);
  if (bit !== 0 && bit !== 1) throw errors.bitArgument;
  const slot = database.lookup(request.view(1));
  // An absent key is zeros for ever.
  if (slot === ABSENT) return bit === 0 ? 0 : -1;
  const string = database.stringAt(slot, value);
  if (request.count > 6) throw errors.syntax;
  range.start = request.count > 3 ? request.integer(3) : 0;
  range.isBits = request.count === 6 && unitIsBits(request, 5);
  range.end = request.count > 4 ? request.integer(4) : string.length - 1;
  const { start, end, isBits } = clampRange(string.length);
  if (start > end) return -1;
  const first = isBits ? start : start * 8;
  const last = isBits ? end : end * 8 + 7;
  const found = findBit(string.buffer, string.start, first, last, bit);
  // Where no end was given, the string goes on with zeros.
  return found < 0 && bit === 0 && request.count < 5 ? last + 1 : found;
}

// ---- BITOP ----

function bitop(request: Request, database: Database): Reply {
  const name = request.option(1);
  if (name !== 'AND' && name !== 'OR' && name !== 'XOR' && name !== 'NOT') throw errors.syntax;
  if (name === 'NOT' && request.count !== 4) throw errors.bitopNotSources;
  // A key whose time has come goes at its look-up, which moves others: all look-ups come first. The first
  // that is no string ends them.
  for (let i = 3; i < request.count; i++) {
    const slot = database.lookup(request.view(i));
    if (slot !== ABSENT) database.stringAt(slot, value);
  }
  const sources: ByteRange[] = [];
  for (let i = 3; i < request.count; i++) {
    const slot = database.find(request.view(i));
    sources.push(slot === ABSENT ? noBytes : database.stringAt(slot, new View()));
  }
  const result =
    name === 'NOT' ? invertBits(sources[0]) : combineBits(name.toLowerCase() as BitOperation, sources);
  const destination = request.view(2);
  if (result.length > 0) {
    database.setRawString(destination, value.on(result, 0, result.length));
    database.changed(destination, keyEvents.set);
  } else if (database.deleteKey(destination)) database.changed(destination, keyEvents.del);
  return result.length;
}

// ---- BITFIELD ----

/** One GET, SET or INCRBY. */
interface FieldOperation {
  kind: 'GET' | 'SET' | 'INCRBY';
  type: BitfieldType;
  /** In bits. */
  offset: number;
  /** The value of SET, the increment of INCRBY. */
  operand: Int64;
  overflow: Overflow;
}

interface FieldOperations {
  list: FieldOperation[];
  /** Bits that will be written lie from here, */
  writtenFrom: number;
  /** to before here: 0 when nothing writes. */
  writtenTo: number;
}

/** Argument `index` as `i<bits>` or `u<bits>`. */
function fieldType(request: Request, index: number): BitfieldType {
  const text = request.numberText(index);
  const signed = text[0] === 'i';
  const width = signed || text[0] === 'u' ? parseInt64(text.slice(1)) : undefined;
  if (width === undefined || width < 1 || width > (signed ? 64 : 63)) throw errors.bitfieldType;
  return { signed, width: Number(width) };
}

/** Argument `index` as an offset in bits, or behind `#` in fields of `width` bits. */
function fieldOffset(request: Request, index: number, width: number, settings: Settings): number {
  const { buffer, start, length } = request.view(index);
  if (length === 0 || buffer[start] !== 0x23) return checkedOffset(request.int64OrUndefined(index), settings);
  const fields = parseInt64Bytes(buffer, start + 1, length - 1);
  if (fields === undefined) throw errors.bitOffset;
  const offset = typeof fields === 'number' ? fields * width : Number.MAX_VALUE;
  // Redis multiplies in 64 bits, which wrap around.
  return checkedOffset(
    Number.isSafeInteger(offset) ? offset : BigInt.asIntN(64, BigInt(fields) * BigInt(width)),
    settings,
  );
}

function overflowOf(request: Request, index: number): Overflow {
  if (request.is(index, 'WRAP')) return 'wrap';
  if (request.is(index, 'SAT')) return 'sat';
  if (request.is(index, 'FAIL')) return 'fail';
  throw errors.bitfieldOverflow;
}

function parseFieldOperations(request: Request, settings: Settings): FieldOperations {
  const operations: FieldOperations = { list: [], writtenFrom: Infinity, writtenTo: 0 };
  let overflow: Overflow = 'wrap';
  for (let i = 2; i < request.count; ) {
    const word = request.option(i);
    const behind = request.count - i - 1;
    if (word === 'OVERFLOW' && behind >= 1) {
      overflow = overflowOf(request, i + 1);
      i += 2;
      continue;
    }
    const isGet = word === 'GET' && behind >= 2;
    if (!isGet && !((word === 'SET' || word === 'INCRBY') && behind >= 3)) throw errors.syntax;
    const type = fieldType(request, i + 1);
    const offset = fieldOffset(request, i + 2, type.width, settings);
    if (isGet) {
      operations.list.push({ kind: 'GET', type, offset, operand: 0, overflow });
      i += 3;
      continue;
    }
    const end = offset + type.width;
    checkWritable(end, settings);
    const operand = request.int64(i + 3);
    operations.writtenFrom = Math.min(operations.writtenFrom, offset);
    operations.writtenTo = Math.max(operations.writtenTo, end);
    operations.list.push({ kind: word as 'SET' | 'INCRBY', type, offset, operand, overflow });
    i += 4;
  }
  return operations;
}

function readFields(operations: FieldOperations, { buffer, start, length }: View): Reply {
  return operations.list.map(({ type, offset }) => readBitfield(buffer, start, length, offset, type));
}

function bitfield(request: Request, database: Database, context: WriteContext): Reply {
  const operations = parseFieldOperations(request, context.keyspace.settings);
  const key = request.view(1);
  let slot = database.lookup(key);
  const string = stringIn(database, slot);
  if (operations.writtenTo === 0) return readFields(operations, string);
  const oldLength = string.length;
  const isNew = slot === ABSENT;
  if (isNew) slot = database.setString(key, noBytes);
  const from = Math.floor(operations.writtenFrom / 8);
  const to = Math.ceil(operations.writtenTo / 8);
  const { buffer, start, length } = database.editString(slot, to, from, to, value);
  const hasGrown = isNew || to > oldLength;
  let isSet = false;
  const replies: Reply[] = [];
  for (const { kind, type, offset, operand, overflow } of operations.list) {
    const before = readBitfield(buffer, start, length, offset, type);
    if (kind === 'GET') {
      replies.push(before);
      continue;
    }
    const after =
      kind === 'SET'
        ? addToBitfield(operand, 0, type, overflow)
        : addToBitfield(before, operand, type, overflow);
    if (after === undefined) {
      replies.push(null);
      continue;
    }
    writeBitfield(buffer, start, offset, type.width, after);
    if (hasGrown || after !== before) isSet = true;
    replies.push(kind === 'SET' ? before : after);
  }
  // What overflows sets nothing, though the key has grown by then.
  if (hasGrown || isSet) database.changed(key, isSet ? keyEvents.setbit : undefined);
  return replies;
}

/** Whether a BITFIELD only gets. */
function readsOnly(request: Request): boolean {
  for (let i = 2; i < request.count; i++) if (request.is(i, 'SET') || request.is(i, 'INCRBY')) return false;
  return true;
}

function bitfieldReadOnly(request: Request, database: ReadableDatabase, context: ReadContext): Reply {
  const operations = parseFieldOperations(request, context.keyspace.settings);
  if (operations.writtenTo > 0) throw errors.bitfieldReadOnly;
  return readFields(operations, stringIn(database, database.lookup(request.view(1))));
}

/** Every row of the family. */
export const bitmaps = [
  read(
    {
      name: 'bitcount',
      arity: -2,
      keys: '1 RO access',
      group: 'bitmap',
      since: '2.6.0',
      history: [['7.0.0', 'BYTE and BIT.']],
      complexity: 'O(N), N bytes counted',
      summary: 'Counts the bits that are set, in all of a string or a range.',
      syntax: 'key [index:(start:integer end:integer [index_unit:<BYTE | BIT>@7.0.0])]',
    },
    bitcount,
  ),
  write(
    {
      name: 'bitfield',
      arity: -2,
      flags: ['denyoom'],
      keys: '1 RW access update variable_flags; With GET alone it only reads.',
      group: 'bitmap',
      since: '3.2.0',
      complexity: 'O(N), N operations',
      summary: 'Reads and changes integers of any width within a string.',
      syntax:
        'key [operation:<GET (encoding offset:integer) | write:([OVERFLOW <WRAP | SAT | FAIL>] write_operation:<SET (encoding offset:integer value:integer) | INCRBY (encoding offset:integer increment:integer)>)> ...]',
    },
    bitfield,
    { isRead: readsOnly, handler: bitfieldReadOnly },
  ),
  read(
    {
      name: 'bitfield_ro',
      arity: -2,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'bitmap',
      since: '6.0.0',
      complexity: 'O(N), N operations',
      summary: 'Reads integers of any width within a string.',
      syntax: 'key [GET (encoding offset:integer)]...',
    },
    bitfieldReadOnly,
  ),
  write(
    {
      name: 'bitop',
      arity: -4,
      flags: ['denyoom'],
      keys: ['2 OW update', '3..-1 RO access'],
      group: 'bitmap',
      since: '2.6.0',
      complexity: 'O(N), N bytes of the longest string',
      summary: 'Combines strings bit by bit and stores the result.',
      syntax: 'operation destkey:key key:key#1 ...',
    },
    bitop,
  ),
  read(
    {
      name: 'bitpos',
      arity: -3,
      keys: '1 RO access',
      group: 'bitmap',
      since: '2.8.7',
      history: [['7.0.0', 'BYTE and BIT.']],
      complexity: 'O(N), N bytes looked at',
      summary: 'Finds the first bit that is set or clear.',
      syntax:
        'key bit:integer [index:(start:integer [end_index:(end:integer [index_unit:<BYTE | BIT>@7.0.0])])]',
    },
    bitpos,
  ),
  read(
    {
      name: 'getbit',
      arity: 3,
      flags: ['fast'],
      keys: '1 RO access',
      group: 'bitmap',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Returns the bit at an offset.',
      syntax: 'key offset:integer',
    },
    getbit,
  ),
  write(
    {
      name: 'setbit',
      arity: 4,
      flags: ['denyoom'],
      keys: '1 RW access update',
      group: 'bitmap',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Sets or clears the bit at an offset.',
      syntax: 'key offset:integer value:integer',
    },
    setbit,
  ),
];
