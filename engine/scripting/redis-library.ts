/** The `redis` table of scripts. What it calls is a {@link ScriptCalls}. */
import {
  type Arguments,
  chargeSteps,
  LuaError,
  type LuaFunction,
  LuaState,
  LuaTable,
  type LuaValue,
  unlimited,
} from '../lua/index.js';
import { viewOf } from '../protocol/view.js';
import { fieldTable, type ScriptProtocol } from './conversion.js';
import { sha1 } from './sha1.js';

/** What the running script asks of Redis. */
export interface ScriptCalls {
  /** Runs a command: what it answers as a Lua value, an error reply as an error table. */
  command(args: Arguments): LuaValue;
  /** Whether the user may run a command; undefined when it is none. */
  mayRun(args: Arguments): boolean | undefined;
  setProtocol(protocol: ScriptProtocol): void;
}

/** Redis 7.0.15, whose behaviour this is. */
const VERSION = '7.0.15';
const VERSION_NUMBER = 0x07000f;

const replicationMax = 3;
const logLevelMax = 3;

const refuse = (text: string): never => {
  throw new LuaError(fieldTable('err', `ERR ${text}`));
};

function replyTable(field: 'err' | 'ok', args: Arguments): LuaTable {
  const [text] = args;
  if (args.length !== 1 || typeof text !== 'string')
    return fieldTable('err', 'ERR wrong number or type of arguments');
  if (field === 'ok') return fieldTable('ok', text);
  const message = (text.startsWith('-') ? text.slice(1) : text).replace(/[\r\n]+$/, '');
  return fieldTable('err', message.includes(' ') ? message : `ERR ${message}`);
}

function log(args: Arguments): LuaValue[] {
  if (args.length < 2) refuse('redis.log() requires two arguments or more.');
  const [level] = args;
  if (typeof level !== 'number') refuse('First argument must be a number (log level).');
  if (!((level as number) >= 0 && (level as number) <= logLevelMax)) refuse('Invalid debug level.');
  return [];
}

function setReplication(args: Arguments): LuaValue[] {
  if (args.length !== 1) refuse('redis.set_repl() requires two arguments.');
  const flags = Number(args[0]);
  if (!(flags >= 0 && flags <= replicationMax))
    refuse('Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.');
  return [];
}

function setProtocol(calls: ScriptCalls, args: Arguments): LuaValue[] {
  if (args.length !== 1) refuse('redis.setresp() requires one argument.');
  const protocol = Math.trunc(Number(args[0]));
  if (protocol !== 2 && protocol !== 3) refuse('RESP version must be 2 or 3.');
  calls.setProtocol(protocol as ScriptProtocol);
  return [];
}

/** redis.call raises the error that redis.pcall gives. */
function call(calls: ScriptCalls, args: Arguments): LuaValue {
  const value = calls.command(args);
  if (value instanceof LuaTable && value.get('err') !== undefined) throw new LuaError(value);
  return value;
}

/** What replaces an error that no pcall caught: a table, where it was none. */
function wrapError(value: LuaValue): LuaTable {
  if (value instanceof LuaTable) return value;
  return fieldTable('err', `ERR ${typeof value === 'string' ? value : String(value ?? 'nil')}`);
}

/** A state with the `redis` table, its globals readonly. KEYS and ARGV are the host's to set. */
export function openState(calls: ScriptCalls): LuaState {
  const state = new LuaState();
  unlimited(() => {
    const redis = addRedis(state, calls);
    state.define(redis, [
      ['breakpoint', () => false],
      ['debug', () => []],
      ['replicate_commands', () => true],
    ]);
    state.define(state.globals, [['__redis__err__handler', (...args) => wrapError(args[0])]]);
    state.globals.set('KEYS', undefined);
    state.globals.set('ARGV', undefined);
  });
  state.protect();
  return state;
}

/** A state for functions, whose keys and arguments are theirs alone. */
export function openFunctionState(calls: ScriptCalls): LuaState {
  const state = new LuaState();
  unlimited(() => addRedis(state, calls));
  state.protect();
  return state;
}

/** Names of `redis` that are there while a library loads, beside `register_function`. */
export function addLoadLibrary(state: LuaState, redis: LuaTable): void {
  state.define(redis, [['log', (...args) => log(args)]]);
  for (const [name, value] of constants) redis.set(name, value);
}

const constants: readonly (readonly [string, LuaValue])[] = [
  ['LOG_DEBUG', 0],
  ['LOG_VERBOSE', 1],
  ['LOG_NOTICE', 2],
  ['LOG_WARNING', 3],
  ['REDIS_VERSION_NUM', VERSION_NUMBER],
  ['REDIS_VERSION', VERSION],
];

function addRedis(state: LuaState, calls: ScriptCalls): LuaTable {
  const redis = new LuaTable();
  const natives: [string, LuaFunction][] = [
    ['call', (...args) => call(calls, args)],
    ['pcall', (...args) => calls.command(args)],
    ['log', (...args) => log(args)],
    ['setresp', (...args) => setProtocol(calls, args)],
  ];
  state.define(redis, natives);
  for (const [name, value] of constants) redis.set(name, value);
  state.define(redis, [
    ['sha1hex', (...args) => sha1hex(args)],
    ['error_reply', (...args) => replyTable('err', args)],
    ['status_reply', (...args) => replyTable('ok', args)],
    ['set_repl', (...args) => setReplication(args)],
  ]);
  for (const [name, value] of [
    ['REPL_NONE', 0],
    ['REPL_AOF', 1],
    ['REPL_SLAVE', 2],
    ['REPL_REPLICA', 2],
    ['REPL_ALL', 3],
  ] as const)
    redis.set(name, value);
  state.define(redis, [['acl_check_cmd', (...args) => checkCommand(calls, args)]]);
  state.globals.set('redis', redis);
  return redis;
}

/** What a digest takes beside an eighth of a step for each byte. */
const SHA1_STEPS = 20;

function sha1hex(args: Arguments): LuaValue {
  if (args.length !== 1) refuse('wrong number of arguments');
  const [value] = args;
  const text = typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
  chargeSteps(SHA1_STEPS + (text.length >> 3));
  return sha1(viewOf(text));
}

function checkCommand(calls: ScriptCalls, args: Arguments): LuaValue {
  if (args.length === 0) refuse('Please specify at least one argument for this redis lib call');
  return calls.mayRun(args) ?? refuse('Invalid command passed to redis.acl_check_cmd()');
}
