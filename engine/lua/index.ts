/**
 * Lua 5.1, as Redis 7.0 gives it to scripts: compiled to JavaScript, deterministic and bounded. Knows nothing
 * of Redis itself.
 */
export { type CompiledScript, type CompileOptions, checkSyntax, compile } from './compiler/compile.js';
export { type FatalReason, LuaError, LuaFatal } from './errors.js';
export {
  type Arguments,
  argumentError,
  asNative,
  checkAny,
  checkFunction,
  checkInteger,
  checkNumber,
  checkString,
  checkTable,
} from './library/arguments.js';
export { chargeBytes, chargeSteps, defaultLimits, type LuaLimits } from './limits.js';
export { formatNumber, parseNumeral } from './numbers.js';
export { call } from './runtime/calls.js';
export { fail, position, typeName } from './runtime/frames.js';
export { LuaState, type LuaUsage, unlimited } from './state.js';
export { hashString } from './string-hash.js';
export { LuaTable } from './table.js';
export { LightUserdata, type LuaFunction, type LuaResult, type LuaValue, noValues } from './value.js';
