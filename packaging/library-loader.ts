/** Ships with the library: loads its one file with a code cache, where Node itself runs it. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { runInThisContext, Script } from 'node:vm';
import { readCache, writeCache } from './code-cache.js';

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
  try {
    const text = readFileSync(path, 'latin1');
    const cachedData = readCache(path);
    script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
      filename: path,
      cachedData,
    });
    if (cachedData === undefined) {
      accessSync(dirname(path), constants.W_OK);
      // By then all is compiled that a suite uses.
      process.once('exit', () => writeCache(path, script));
    }
  } catch {
    return undefined;
  }
  const module = { exports: {} };
  script.runInThisContext()(module.exports, requireLate(createRequire(path)), module, path, dirname(path));
  return module.exports;
}

/** `require`, which puts off what can wait. */
function requireLate(require: NodeJS.Require): (name: string) => unknown {
  const late = new Map<string, object>();
  return (name) => {
    if (!loadedLate.has(name)) return require(name);
    const known = late.get(name);
    if (known !== undefined) return known;
    const get = (_: object, key: string): unknown => (require(name) as Record<string, unknown>)[key];
    const exports = new Proxy({}, { get });
    late.set(name, exports);
    return exports;
  };
}
