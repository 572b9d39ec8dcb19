/**
 * Ships with the program: runs a bundle with the code that V8 compiled at an earlier start, and names source
 * files in stack traces.
 *
 * The cache lies beside the bundle, one for each release of V8: the build makes its own, any other is made by
 * the first start that can write there. The bundle's name holds a hash of its contents, so that no cache
 * outlives what it was made of. V8 itself passes over a cache that was made with other flags.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

/** A bundle is a function of these, so that it need not be wrapped, and copied, at each start. */
export const bundleParameters = ['exports', 'require', 'module', '__filename', '__dirname'] as const;

/** By then a start is over, and what it needs is compiled. */
const CACHE_AFTER_MS = 1000;

export const cacheSuffix = `.${process.versions.v8}-${process.arch}.cache`;

/**
 * What a bundle exports.
 *
 * @param path its file
 * @param require what loads its imports
 */
export function load(path: string, require: NodeJS.Require): unknown {
  Error.prepareStackTrace = stackTrace;
  const cachedData = readCache(path + cacheSuffix);
  // The bundle is ASCII: read as latin1 it takes one byte a character and no decoding.
  const script = new Script(readFileSync(path, 'latin1'), { filename: path, cachedData });
  if (cachedData === undefined) setTimeout(() => writeCache(path, script), CACHE_AFTER_MS).unref();
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module, path, dirname(path));
  return module.exports;
}

function readCache(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** Several processes may do so at once; a reader finds a whole cache or none. */
function writeCache(path: string, script: Script): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    writeFileSync(temporary, script.createCachedData());
    renameSync(temporary, path + cacheSuffix);
  } catch {
    // Installed where this user cannot write, or removed meanwhile. Later starts will do without, too.
    rmSync(temporary, { force: true });
  }
}

// ---- stack traces ----

const maps = new Map<string, SourceMap | undefined>();

/** The map of a file; undefined if it has none. Read when first asked for: nothing of it is needed to run. */
function mapOf(path: string): SourceMap | undefined {
  if (!maps.has(path)) {
    let map: SourceMap | undefined;
    try {
      map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')) as SourceMapPayload);
    } catch {
      // The place in the bundle has to do.
    }
    maps.set(path, map);
  }
  return maps.get(path);
}

/**
 * V8's own form of a stack trace, with the places in the sources: `at Server.listen (src/server.ts:12:3)`.
 */
function stackTrace(error: Error, frames: readonly NodeJS.CallSite[]): string {
  return [titleOf(error), ...frames.map((frame) => `    at ${describe(frame)}`)].join('\n');
}

function titleOf(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

function describe(frame: NodeJS.CallSite): string {
  const text = String(frame);
  const path = frame.getFileName();
  const line = frame.getLineNumber();
  const column = frame.getColumnNumber();
  if (path == null || line === null || column === null) return text;
  const place = mapOf(path)?.findEntry(line - 1, column - 1);
  if (place === undefined || !('originalSource' in place)) return text;
  const { originalSource, originalLine, originalColumn } = place;
  const source = originalSource.replace(/^(\.\.\/)+/, '');
  return text.replace(`${path}:${line}:${column}`, `${source}:${originalLine + 1}:${originalColumn + 1}`);
}
