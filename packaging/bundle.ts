/**
 * `npm run build` makes the program that ships, in dist/program: what tsc has compiled, in one file a part,
 * and with V8's code cache for the parts that every start loads. docs/PROCESS.md has what that wins.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { RespClient } from '../src/resp/client.js';
import { cacheSuffix } from './code-cache.js';
import { bundleParameters } from './loader.js';

const compiled = join(import.meta.dirname, '..');

/** Where the program is by default; its parts find package.json two folders up. */
export const programFolder = join(compiled, 'program');

/** Loaded by every start that serves: by the loader, with a code cache. */
const cachedParts = ['server-thread', 'command-line'];
/** Loaded by Node. */
const plainParts = [
  'main',
  'check',
  'completion',
  'data-commands',
  'progress-bar',
  'recover',
  'status',
  'top',
  'http-door',
  'json-log',
  'service-manager',
  'system-log',
];
/** Loaded by Node, as a thread of its own. Below dist; they lie beside what starts them. */
export const threadParts = ['raft/node/peer/pulse-thread', 'src/replicas/rdb-thread'];

/** One part loads another where it says `await import`, and not before. */
const partsStayApart: Plugin = {
  name: 'parts stay apart',
  setup(plugin) {
    plugin.onResolve({ filter: /^\.\/[\w-]+\.js$/ }, ({ kind, path }) => {
      const isPart = [...cachedParts, ...plainParts].includes(path.slice(2, -3));
      return kind === 'dynamic-import' && isPart ? { path, external: true } : undefined;
    });
  },
};

/**
 * Modules of the lower floors only declare things: of those that an index names, a part gets what it uses.
 * The command line, for one, needs the words of error replies and not the engine.
 */
const declaresOnly: Plugin = {
  name: 'lower floors only declare',
  setup(plugin) {
    plugin.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ kind, path, resolveDir }) => {
      const target = join(resolveDir, path);
      const isLower = ['engine', 'raft'].some((floor) => target.startsWith(join(compiled, floor, sep)));
      return kind === 'import-statement' && isLower ? { path: target, sideEffects: false } : undefined;
    });
  },
};

/**
 * CommonJS, because V8's code cache can be had for scripts alone, and because Node's loader of ES modules
 * takes 8 ms itself.
 */
const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  // `await import` becomes a promise of `require`.
  supported: { 'dynamic-import': false },
  sourcemap: 'linked',
  sourcesContent: false,
  // Beside that it is old enough for Node to warn of it, were it not below node_modules.
  external: ['hyperloglog-lite'],
  define: { 'import.meta': 'importMeta' },
  plugins: [partsStayApart, declaresOnly],
  logLevel: 'warning',
};

const prologue =
  "'use strict'; const importMeta = { url: require('node:url').pathToFileURL(__filename).href };";

/** Writes the program into a folder, in place of what is there. */
export async function bundle(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  // Read where it lies beside the part that serves it.
  for (const target of [folder, join(compiled, 'src/cli')])
    copyFileSync(join(compiled, '../src/http/status.html'), join(target, 'status.html'));
  const source = (part: string): string => join(compiled, 'src/cli', `${part}.js`);
  await build({
    ...common,
    entryPoints: [...plainParts.map(source), ...threadParts.map((part) => join(compiled, `${part}.js`))],
    entryNames: '[name]',
    outdir: folder,
    banner: { js: prologue },
  });
  await build({ ...common, entryPoints: [join(import.meta.dirname, 'loader.js')], outdir: folder });
  for (const part of cachedParts) {
    const { metafile } = await build({
      ...common,
      entryPoints: [source(part)],
      entryNames: '[name]-[hash]',
      outdir: folder,
      banner: { js: `(function (${bundleParameters.join(', ')}) {${prologue}` },
      footer: { js: '})' },
      metafile: true,
    });
    const file = Object.keys(metafile.outputs).find((output) => output.endsWith('.js'))!;
    writeFileSync(
      join(folder, `${part}.js`),
      `module.exports = require('./loader.js').load(\`\${__dirname}/${basename(file)}\`, require);\n`,
    );
  }
}

/** What clients ask that have just connected. */
const requests = [
  ['HELLO', '2'],
  ['CLIENT', 'SETNAME', 'a'],
  ['PING'],
  ['SET', 'k', 'v'],
  ['GET', 'k'],
  ['INFO'],
];

/** Runs a program once, with an empty directory, until it has written its code caches. */
export async function makeCodeCaches(folder: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'redraft-build-'));
  const child = spawn(process.execPath, [join(folder, 'main.js'), '--port', '0', '--dir', dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`the program that was built ended with code ${code}`);
  });
  const use = async (): Promise<void> => {
    let port: string | undefined;
    for await (const line of child.stdout.setEncoding('utf8')) {
      port ??= / serves \S+:(\d+),/.exec(line)?.[1];
      if (port !== undefined) break;
    }
    const client = await RespClient.connect({ host: '127.0.0.1', port: Number(port) });
    for (const request of requests) await client.call(...request);
    await client.close();
    while (readdirSync(folder).filter((file) => file.endsWith(cacheSuffix)).length < cachedParts.length) {
      await delay(50);
    }
  };
  try {
    await Promise.race([use(), ended]);
  } finally {
    child.kill('SIGTERM');
    await ended.catch(() => {});
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv[1] === import.meta.filename) {
  await bundle(programFolder);
  await makeCodeCaches(programFolder);
}
