/**
 * Ships with the program: runs a bundle with the machine code that V8 made of it when the program was built, and names source files in
 * stack traces.
 */
import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';

/** A bundle is a function of these, so that it need not be wrapped, and copied, at each start. */
export const bundleParameters = ['exports', 'require', 'module', '__filename', '__dirname'] as const;

/** The files of a bundle in the folder of the program. */
export function bundleFiles(
  folder: string,
  name: string,
): { readonly source: string; readonly cache: string } {
  return { source: join(folder, `${name}.bundle.js`), cache: join(folder, `${name}.bundle.cache`) };
}

/** Compiles a bundle. V8 looks whether the cache is its own: one of another release, or with other flags, it passes over. */
export function compile(folder: string, name: string): Script {
  const files = bundleFiles(folder, name);
  let cachedData: Buffer | undefined;
  try {
    cachedData = readFileSync(files.cache);
  } catch {
    // Then it starts without, a little later.
  }
  // The bundle is ASCII: read so, it takes one byte a character and no decoding.
  return new Script(readFileSync(files.source, 'latin1'), { filename: files.source, cachedData });
}

/** Runs a compiled bundle; returns what it exports. */
export function run(script: Script, folder: string, name: string, require: NodeJS.Require): unknown {
  const module = { exports: {} };
  const { source } = bundleFiles(folder, name);
  script.runInThisContext()(module.exports, require, module, source, dirname(source));
  return module.exports;
}

/** What a bundle exports. */
export function load(folder: string, name: string, require: NodeJS.Require): unknown {
  Error.prepareStackTrace = stackTrace;
  return run(compile(folder, name), folder, name, require);
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

/** V8's own form of a stack trace, with the places in the sources: `at Server.listen (src/server.ts:12:3)`. */
function stackTrace(error: Error, frames: readonly NodeJS.CallSite[]): string {
  let title: string;
  try {
    title = Error.prototype.toString.call(error);
  } catch {
    title = 'Error';
  }
  return [title, ...frames.map((frame) => `    at ${describe(frame)}`)].join('\n');
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
