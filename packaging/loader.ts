/**
 * Ships with the program: runs a bundle with the code that V8 compiled at an earlier start, and names source
 * files in stack traces.
 * The build makes a cache for its own release of V8.
 */
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';
import { readCache, writeCache } from './code-cache.js';

/** A bundle is a function of these, so that it need not be wrapped, and copied, at each start. */
export const bundleParameters = ['exports', 'require', 'module', '__filename', '__dirname'] as const;

/** By then a start is over, and what it needs is compiled. */
const CACHE_AFTER_MS = 1000;

/**
 * What a bundle exports.
 *
 * @param path its file
 * @param require what loads its imports
 */
export function load(path: string, require: NodeJS.Require): unknown {
  Error.prepareStackTrace = stackTrace;
  const cachedData = readCache(path);
  // The bundle is ASCII: read as latin1 it takes one byte a character and no decoding.
  const script = new Script(readFileSync(path, 'latin1'), { filename: path, cachedData });
  if (cachedData === undefined) setTimeout(() => writeCache(path, script), CACHE_AFTER_MS).unref();
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module, path, dirname(path));
  return module.exports;
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
