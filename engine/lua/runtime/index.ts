/** What generated code calls, by the short names that it uses. */

import { LuaError } from '../errors.js';
import { counters, sites, stepsExhausted } from '../limits.js';
import { LuaTable } from '../table.js';
import { noValues } from '../value.js';
import { apply, callable, first, PendingCall, tail, values } from './calls.js';
import { finish, gen, resumed, yielded, yieldFunction } from './coroutines.js';
import { frames, position } from './frames.js';
import { addList, argumentTable, field, index, list, put, setField, setIndex } from './indexing.js';
import { iterate } from './iteration.js';
import {
  add,
  cat,
  cat3,
  cats,
  div,
  eq,
  le,
  len,
  loopNumber,
  lt,
  mod,
  mul,
  pow,
  sameText,
  sub,
  unm,
} from './operators.js';

/** A function was entered with no steps left, or too deep. */
function enter(): never {
  if (counters.s < 0) stepsExhausted();
  return wide();
}

function wide(): never {
  counters.d--;
  throw new LuaError(`${position(1)}stack overflow`);
}

/** Everything that generated code names, beside its own variables. */
export const runtime = {
  ...{ C: counters, L: sites, F: frames, T: LuaTable, P: PendingCall, E: noValues },
  ...{ out: stepsExhausted, enter, wide },
  ...{ first, values, callable, apply, tail },
  ...{ field, index, setField, setIndex, put, list, addList, argumentTable },
  ...{ add, sub, mul, div, mod, pow, unm, len, eq, sameText, lt, le, cat, cat3, cats, loopNumber },
  ...{ iterate, gen, finish, yielded, resumed, yieldFunction },
};
