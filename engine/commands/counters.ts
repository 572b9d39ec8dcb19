/** Numbers that are kept as strings: INCR, DECR and their forms. */
import { write } from '../command/command.js';
import { addInt64, type Int64, negateInt64, parseInt64Bytes, writeInt64Text } from '../numbers/int64.js';
import {
  addLongDouble,
  formatLongDouble,
  isFiniteLongDouble,
  parseLongDouble,
} from '../numbers/long-double.js';
import { errors } from '../protocol/errors.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View, writeLatin1 } from '../protocol/view.js';
import type { Database } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { keyEvents } from '../storage/key-events.js';

const value = new View();
const formatted = new View(Buffer.allocUnsafeSlow(64));

/** A short number text as a view, valid until the next call. */
function formattedView(text: string): View {
  if (text.length > formatted.buffer.length) formatted.buffer = Buffer.allocUnsafeSlow(text.length);
  writeLatin1(text, formatted.buffer, 0);
  return formatted.on(formatted.buffer, 0, text.length);
}

/** The integer at `slot`; 0 when absent. Throws when it is none. */
function integerAt(database: Database, slot: Slot): Int64 {
  if (slot === ABSENT) return 0;
  const text = database.stringAt(slot, value);
  const number = parseInt64Bytes(text.buffer, text.start, text.length);
  if (number === undefined) throw errors.notInteger;
  return number;
}

function add(database: Database, key: View, amount: Int64): Reply {
  const slot = database.lookup(key);
  const sum = addInt64(integerAt(database, slot), amount);
  if (sum === undefined) throw errors.overflow;
  const digits = formatted.on(formatted.buffer, 0, writeInt64Text(sum, formatted.buffer, 0));
  if (slot === ABSENT) database.create(key, Encoding.int, digits);
  else database.replace(slot, Encoding.int, digits);
  database.changed(key, keyEvents.incrby);
  return sum;
}

const incr = (request: Request, database: Database): Reply => add(database, request.view(1), 1);
const decr = (request: Request, database: Database): Reply => add(database, request.view(1), -1);
const incrby = (request: Request, database: Database): Reply =>
  add(database, request.view(1), request.int64(2));

function decrby(request: Request, database: Database): Reply {
  const amount = negateInt64(request.int64(2));
  if (amount === undefined) throw errors.decrementOverflow;
  return add(database, request.view(1), amount);
}

function incrbyfloat(request: Request, database: Database): Reply {
  const key = request.view(1);
  const slot = database.lookup(key);
  const current = slot === ABSENT ? '0' : database.stringAt(slot, value).numberText();
  const start = parseLongDouble(current);
  const amount = start === undefined ? undefined : parseLongDouble(request.numberText(2));
  if (start === undefined || amount === undefined) throw errors.notFloat;
  const sum = addLongDouble(start, amount);
  if (sum === undefined || !isFiniteLongDouble(sum)) throw errors.notANumberOrInfinity;
  const text = formatLongDouble(sum);
  const stored = database.setString(key, formattedView(text), true);
  // Redis never takes the result for an integer.
  if (database.encoding(stored) === Encoding.int) database.setEncoding(stored, Encoding.embstr);
  database.changed(key, keyEvents.incrbyfloat);
  return text;
}

/** Every row of the family. */
export const counters = [
  write(
    {
      name: 'decr',
      arity: 2,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'string',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Subtracts one from an integer; an absent key counts as 0.',
      syntax: 'key',
    },
    decr,
  ),
  write(
    {
      name: 'decrby',
      arity: 3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'string',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Subtracts a number from an integer; an absent key counts as 0.',
      syntax: 'key decrement:integer',
    },
    decrby,
  ),
  write(
    {
      name: 'incr',
      arity: 2,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'string',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Adds one to an integer; an absent key counts as 0.',
      syntax: 'key',
    },
    incr,
  ),
  write(
    {
      name: 'incrby',
      arity: 3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'string',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Adds a number to an integer; an absent key counts as 0.',
      syntax: 'key increment:integer',
    },
    incrby,
  ),
  write(
    {
      name: 'incrbyfloat',
      arity: 3,
      flags: ['denyoom', 'fast'],
      keys: '1 RW access update',
      group: 'string',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: 'Adds a number to a floating-point value; an absent key counts as 0.',
      syntax: 'key increment:double',
    },
    incrbyfloat,
  ),
];
