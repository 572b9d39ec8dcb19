/**
 * Makes the program that ships, in dist/program: what tsc has compiled, in one file a part, with V8's code cache for the parts that every
 * start loads. docs/PROCESS.md has what that wins.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { cacheCode } from './code-cache.js';
import { bundleParameters } from './loader.js';

const compiled = join(import.meta.dirname, '..');

/** Where the program is by default; its parts find package.json two folders up. */
export const programFolder = join(compiled, 'program');

/** Loaded by every start that serves: by the loader, with a code cache. */
const cachedParts = ['serve', 'command-line'];
/** Loaded by Node. */
const plainParts = ['main', 'check', 'recover', 'status'];

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
 * meow loads normalize-package-data, for who lets it look for a package.json, and that sorts a table by the user's language: setting up ICU
 * for it takes 10 ms. Here it is loaded when it is called, which is never.
 */
const meowNormalizesLate: Plugin = {
  name: 'meow normalizes late',
  setup(plugin) {
    plugin.onLoad({ filter: /[\\/]meow[\\/]build[\\/]dependencies\.js$/ }, ({ path }) => {
      const early =
        /var normalizeExports = requireNormalize\(\);\s*const normalizePackageData = .*getDefaultExportFromCjs\(normalizeExports\);/;
      const late =
        'const normalizePackageData = (...args) => getDefaultExportFromCjs(requireNormalize())(...args);';
      const text = readFileSync(path, 'utf8');
      if (!early.test(text)) throw new Error(`${path} is not what it was: see packaging/bundle.ts`);
      return { contents: text.replace(early, late), loader: 'js' };
    });
  },
};

/** CommonJS, because V8's code cache can be had for scripts alone, and because Node's loader of ES modules takes 8 ms itself. */
const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  // `await import` becomes a promise of `require`.
  supported: { 'dynamic-import': false },
  sourcemap: 'linked',
  sourcesContent: false,
  external: ['hyperloglog-lite'],
  define: { 'import.meta': 'importMeta' },
  logLevel: 'warning',
};

const prologue =
  "'use strict'; const importMeta = { url: require('node:url').pathToFileURL(__filename).href };";

/** Writes the program into a folder, in place of what is there. */
export async function bundle(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  const source = (part: string): string => join(compiled, 'src', `${part}.js`);
  await build({
    ...common,
    entryPoints: plainParts.map(source),
    outdir: folder,
    banner: { js: prologue },
    plugins: [partsStayApart],
  });
  await build({
    ...common,
    entryPoints: cachedParts.map((part) => ({ in: source(part), out: `${part}.bundle` })),
    outdir: folder,
    banner: { js: `(function (${bundleParameters.join(', ')}) {${prologue}` },
    footer: { js: '})' },
    plugins: [partsStayApart, meowNormalizesLate],
  });
  await build({ ...common, entryPoints: [join(import.meta.dirname, 'loader.js')], outdir: folder });
  for (const part of cachedParts) {
    writeFileSync(
      join(folder, `${part}.js`),
      `module.exports = require('./loader.js').load(__dirname, '${part}', require);\n`,
    );
  }
  await cacheCode(folder);
}

if (process.argv[1] === import.meta.filename) await bundle(programFolder);
