/** What a library registers while it loads: redis.register_function. */
import {
  type Arguments,
  formatNumber,
  LuaError,
  type LuaFunction,
  LuaTable,
  type LuaValue,
} from '../lua/index.js';
import { fieldTable } from './conversion.js';
import { nameError } from './library-metadata.js';
import { scriptFlags } from './shebang.js';

export interface RegisteredFunction {
  readonly name: string;
  readonly description: string | undefined;
  readonly flags: readonly string[];
  readonly callback: LuaFunction;
}

const NAME = 'redis.register_function';

const refuse = (text: string): never => {
  throw new LuaError(fieldTable('err', `ERR ${text}`));
};

const textOf = (value: LuaValue): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? formatNumber(value) : undefined;

/** Adds what the arguments describe to `registered`. */
export function registerFunction(args: Arguments, registered: Map<string, RegisteredFunction>): LuaValue[] {
  if (args.length < 1 || args.length > 2) refuse(`wrong number of arguments to ${NAME}`);
  const made = args.length === 1 ? named(args[0]) : positional(args);
  const wrong = nameError(made.name);
  if (wrong !== undefined) refuse(wrong);
  if (registered.has(made.name)) refuse('Function already exists in the library');
  registered.set(made.name, made);
  return [];
}

function positional([first, second]: Arguments): RegisteredFunction {
  const name = textOf(first) ?? refuse(`first argument to ${NAME} must be a string`);
  if (typeof second !== 'function') return refuse(`second argument to ${NAME} must be a function`);
  return { name, description: undefined, flags: [], callback: second };
}

function named(given: LuaValue): RegisteredFunction {
  if (!(given instanceof LuaTable)) {
    return refuse(
      `calling ${NAME} with a single argument is only applicable to Lua table (representing named arguments).`,
    );
  }
  let name: string | undefined;
  let callback: LuaFunction | undefined;
  let description: string | undefined;
  let flags: readonly string[] = [];
  for (let at = given.skipEmpty(0); at >= 0; at = given.skipEmpty(at + 1)) {
    const value = given.valueAt(at);
    switch (given.keyAt(at)) {
      case 'function_name':
        name = textOf(value) ?? refuse(`function_name argument given to ${NAME} must be a string`);
        break;
      case 'description':
        description = textOf(value) ?? refuse(`description argument given to ${NAME} must be a string`);
        break;
      case 'callback':
        if (typeof value !== 'function')
          return refuse(`callback argument given to ${NAME} must be a function`);
        callback = value;
        break;
      case 'flags':
        if (!(value instanceof LuaTable))
          return refuse(`flags argument to ${NAME} must be a table representing function flags`);
        flags = flagsOf(value);
        break;
      default:
        return refuse(`unknown argument given to ${NAME}`);
    }
  }
  if (name === undefined) return refuse(`${NAME} must get a function name argument`);
  if (callback === undefined) return refuse(`${NAME} must get a callback argument`);
  return { name, description, flags, callback };
}

function flagsOf(table: LuaTable): readonly string[] {
  const given = new Set<string>();
  for (let i = 1; ; i++) {
    const flag = table.get(i);
    if (flag === undefined) break;
    if (typeof flag !== 'string' || !scriptFlags.has(flag)) refuse('unknown flag given');
    given.add(flag as string);
  }
  return [...scriptFlags].filter((flag) => given.has(flag));
}
