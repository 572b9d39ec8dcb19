/** Ships with the library: loads its one file with a code cache, where Node itself runs it. */
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { runInThisContext, Script } from 'node:vm';
import { cacheSuffix, readCache, writeCache } from './code-cache.js';

/**
 * Modules of Node that are loaded when something of theirs is first asked for: together they take longer than
 * the rest of a start. Where a CommonJS module has one, it looks exports up at each use.
 */
const loadedLate: ReadonlySet<string> = new Set([
  'node:crypto',
  'node:readline/promises',
  'node:tls',
  'node:v8',
  'node:worker_threads',
  'node:zlib',
]);

/** Caches of one file: more than releases and flags of V8 that a project uses. */
const CACHES_MAX = 8;

/**
 * How caches of this process end. V8 refuses those that were made with other flags of its own
 * (`--max-old-space-size`, `--expose-gc`), so that these have caches of their own.
 */
function suffixHere(require: NodeJS.Require): string {
  if (process.execArgv.length === 0 && (process.env.NODE_OPTIONS ?? '') === '') return cacheSuffix;
  // It takes a while to load: only where it is needed.
  const { cachedDataVersionTag } = require('node:v8') as typeof import('node:v8');
  return cacheSuffix.replace(/\.cache$/, `-${cachedDataVersionTag().toString(36)}.cache`);
}

/**
 * What a CommonJS module exports.
 *
 * @param path its file, of ASCII
 * @returns undefined where it has to be required: in a test runner's realm of its own, within a bundle, in
 * Bun and Deno, and where files cannot be read
 */
export function load(path: string): unknown {
  if ('bun' in process.versions || 'deno' in process.versions) return undefined;
  if (runInThisContext('Object') !== Object) return undefined;
  let script: Script;
  const put: PutOff = { require: createRequire(path), isLoaded: false };
  try {
    const text = readFileSync(path, 'latin1');
    const suffix = suffixHere(put.require);
    const ofNodes = `.node${suffix}`;
    const all = readCache(path, ofNodes);
    const cachedData = all ?? readCache(path, suffix);
    script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
      filename: path,
      cachedData,
    });
    // By the end all is compiled that a suite uses.
    if (all === undefined && mayWrite(dirname(path)))
      process.once('exit', () => {
        if (put.isLoaded) writeCache(path, script, ofNodes);
        else if (cachedData === undefined) writeCache(path, script, suffix);
      });
  } catch {
    return undefined;
  }
  const module = { exports: {} };
  script.runInThisContext()(module.exports, requireLate(put), module, path, dirname(path));
  return module.exports;
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return readdirSync(folder).filter((name) => name.endsWith('.cache')).length < CACHES_MAX;
  } catch {
    return false;
  }
}

interface PutOff {
  readonly require: NodeJS.Require;
  /** Whether something of it was asked for. A node at its start does so; the engine alone does not. */
  isLoaded: boolean;
}

/** `require`, which puts off what can wait. */
function requireLate(put: PutOff): (name: string) => unknown {
  const late = new Map<string, object>();
  return (name) => {
    if (!loadedLate.has(name)) return put.require(name);
    const known = late.get(name);
    if (known !== undefined) return known;
    const get = (_: object, key: string): unknown => {
      put.isLoaded = true;
      return (put.require(name) as Record<string, unknown>)[key];
    };
    const exports = new Proxy({}, { get });
    late.set(name, exports);
    return exports;
  };
}
