/** The coroutine library. */
import { LuaError } from '../errors.js';
import { formatNumber } from '../numbers.js';
import { protectedCall } from '../runtime/calls.js';
import { Coroutine, current, yieldFunction } from '../runtime/coroutines.js';
import { position } from '../runtime/frames.js';
import type { LuaValue } from '../value.js';
import { type Arguments, argumentError, asNative, type Natives, natives } from './arguments.js';

function checkCoroutine(args: Arguments): Coroutine {
  const [value] = args;
  return value instanceof Coroutine ? value : argumentError(0, 'coroutine expected');
}

function create(args: Arguments): Coroutine {
  const [body] = args;
  if (typeof body !== 'function' || body.native === true) argumentError(0, 'Lua function expected');
  return new Coroutine(body);
}

/** Passes an error on to who resumed, with the place where that was. */
function resumeWrapped(coroutine: Coroutine, args: LuaValue[]): LuaValue[] {
  const { ok, values } = protectedCall(() => coroutine.resume(args));
  if (ok) return values;
  const [error] = values;
  if (typeof error === 'string') throw new LuaError(position(1) + error);
  throw new LuaError(typeof error === 'number' ? position(1) + formatNumber(error) : error);
}

export const coroutineFunctions: Natives = natives({
  create: (...args) => create(args),
  wrap: (...args) => {
    const coroutine = create(args);
    return asNative((...values) => resumeWrapped(coroutine, values));
  },
  resume: (...args) => {
    const coroutine = checkCoroutine(args);
    const { ok, values } = protectedCall(() => coroutine.resume(args.slice(1)));
    return [ok, ...values];
  },
  yield: yieldFunction,
  status: (...args) => checkCoroutine(args).status,
  running: () => current.coroutine,
});
