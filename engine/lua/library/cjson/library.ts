/** The library cjson (lua-cjson 2.1). */
import { LuaTable } from '../../table.js';
import { LightUserdata, type LuaFunction, type LuaResult, type LuaValue } from '../../value.js';
import {
  type Arguments,
  argumentError,
  checkInteger,
  checkString,
  type Natives,
  natives,
} from '../arguments.js';
import { CjsonConfig } from './config.js';
import { Decoder } from './decode.js';
import { Encoder } from './encode.js';

/** JSON's null, which is no nil: tables can hold it. */
export const jsonNull = new LightUserdata();

const int32Max = 2147483647;

function checkCount(args: Arguments, max: number): void {
  if (args.length > max) argumentError(max, 'found too many arguments');
}

function integerOption(
  args: Arguments,
  at: number,
  min: number,
  max: number,
  set: (value: number) => void,
): void {
  if (args[at] === undefined) return;
  const value = checkInteger(args, at);
  if (value < min || value > max) argumentError(at, `expected integer between ${min} and ${max}`);
  set(value);
}

function booleanOption(args: Arguments, at: number, set: (value: boolean) => void): void {
  if (args[at] === undefined) return;
  if (typeof args[at] !== 'boolean') argumentError(at, `invalid option '${checkString(args, at)}'`);
  set(args[at] as boolean);
}

const invalidNumberModes = ['off', 'on', 'null'];

function encodeInvalidNumbers(config: CjsonConfig, args: Arguments): LuaValue {
  checkCount(args, 1);
  const [mode] = args;
  if (typeof mode === 'boolean') config.encodeInvalidNumbers = mode ? 1 : 0;
  else if (mode !== undefined) {
    const at = invalidNumberModes.indexOf(checkString(args, 0));
    if (at < 0) argumentError(0, `invalid option '${checkString(args, 0)}'`);
    config.encodeInvalidNumbers = at;
  }
  return config.encodeInvalidNumbers === 2 ? 'null' : config.encodeInvalidNumbers === 1;
}

function sparseArray(config: CjsonConfig, args: Arguments): LuaResult {
  checkCount(args, 3);
  booleanOption(args, 0, (value) => {
    config.sparseConvert = value;
  });
  integerOption(args, 1, 0, int32Max, (value) => {
    config.sparseRatio = value;
  });
  integerOption(args, 2, 0, int32Max, (value) => {
    config.sparseSafe = value;
  });
  return [config.sparseConvert, config.sparseRatio, config.sparseSafe];
}

/** The natives of a module with settings of its own. */
function cjsonFunctions(config: CjsonConfig): Natives {
  const setting =
    (min: number, max: number, key: 'encodeMaxDepth' | 'decodeMaxDepth' | 'precision'): LuaFunction =>
    (...args) => {
      checkCount(args, 1);
      integerOption(args, 0, min, max, (value) => {
        config[key] = value;
      });
      return config[key];
    };
  const flag =
    (key: 'keepBuffer' | 'decodeInvalidNumbers'): LuaFunction =>
    (...args) => {
      checkCount(args, 1);
      booleanOption(args, 0, (value) => {
        config[key] = value;
      });
      return config[key];
    };
  return natives({
    encode: (...args) => {
      if (args.length !== 1) argumentError(0, 'expected 1 argument');
      return new Encoder(config).encode(args[0]);
    },
    decode: (...args) => {
      if (args.length !== 1) argumentError(0, 'expected 1 argument');
      return new Decoder(checkString(args, 0), config, jsonNull).decode();
    },
    encode_sparse_array: (...args) => sparseArray(config, args),
    encode_max_depth: setting(1, int32Max, 'encodeMaxDepth'),
    decode_max_depth: setting(1, int32Max, 'decodeMaxDepth'),
    encode_number_precision: setting(1, 14, 'precision'),
    encode_keep_buffer: flag('keepBuffer'),
    encode_invalid_numbers: (...args) => encodeInvalidNumbers(config, args),
    decode_invalid_numbers: flag('decodeInvalidNumbers'),
    new: () => {
      const table = new LuaTable();
      fillCjson(table, new CjsonConfig(), (target, list) => {
        for (const [name, native] of list) {
          native.native = true;
          target.set(name, native);
        }
      });
      return table;
    },
  });
}

/** Fills a module's table, in the order of lua-cjson. */
export function fillCjson(
  table: LuaTable,
  config: CjsonConfig,
  define: (table: LuaTable, list: Natives) => void,
): void {
  define(table, cjsonFunctions(config));
  table.set('null', jsonNull);
  table.set('_NAME', 'cjson');
  table.set('_VERSION', '2.1.0');
}
