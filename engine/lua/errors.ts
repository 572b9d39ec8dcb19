/**
 * What a script can end with: an error of Lua, which pcall catches, or the end of what it may use, which
 * nothing catches.
 */
import type { LuaValue } from './value.js';

/**
 * An error as Lua throws it. Not an Error: V8 would gather a stack trace, which costs 100 times the throw.
 */
export class LuaError {
  constructor(
    /** What `error` was given, or the message with its position. */
    readonly value: LuaValue,
  ) {}

  /** The message as a host may print it. */
  get message(): string {
    const { value } = this;
    return typeof value === 'string' || typeof value === 'number'
      ? String(value)
      : '(error object is not a string)';
  }
}

/** Why a run ended for good. */
export type FatalReason = 'steps' | 'bytes' | 'stack' | 'host';

/** The end of a run: past a limit, or by its host. pcall and coroutines pass it on. */
export class LuaFatal {
  constructor(
    readonly reason: FatalReason,
    readonly message: string,
  ) {}
}
