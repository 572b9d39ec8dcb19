/**
 * The library for `require`: all of it in one CommonJS file, since Jest by default and many suites load
 * nothing else. Its parts are that file's exports, so that `redraft` and `redraft/engine` share their
 * classes. Its types are the compiled ones, in a folder that says that they are CommonJS's.
 */
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { threadParts } from './bundle.js';
import { lazyPackages } from './lazy-packages.js';

const compiled = join(import.meta.dirname, '..');

/** The package's entries: their names under `exports`, and what tsc has made of them. */
const parts = { index: 'src/index', engine: 'engine/index', raft: 'raft/index' } as const;

/**
 * Packages that stay files of their own. To look for one takes a start longer than to run it, so that the
 * others go into the file; hyperloglog-lite is old enough for Node to warn of it, were it not below
 * node_modules.
 */
const external = ['hyperloglog-lite', 'cbor-extract'];

const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  // Half as much to read at each start. Names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: 'linked',
  sourcesContent: false,
  external,
  define: { 'import.meta': 'importMeta' },
  banner: {
    // Of a start without threads nobody asks.
    js: "'use strict'; const importMeta = { get url() { return require('node:url').pathToFileURL(__filename).href; } };",
  },
  plugins: [lazyPackages],
  logLevel: 'warning',
};

/**
 * What stands on the library and loads another package: a file of its own, so that who does not use it need
 * not have that.
 */
const addition = { name: 'ioredis', path: 'src/ioredis/index' } as const;

/** The library is there already. */
const libraryIsThere: Plugin = {
  name: 'the library is there',
  setup(plugin) {
    plugin.onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({ path: './index.js', external: true }));
  },
};

/**
 * A part for `import`: one file is loaded in a third of the time that some 300 take, and who requires the
 * library in the same process has the same classes. Not `import` of that file, which Node would read for the
 * names of its exports. Bundlers, which cannot follow this, take the compiled modules (`module`).
 */
const moduleOf = (file: string, part: string, names: readonly string[]): string =>
  `import { createRequire } from 'node:module';
const library = createRequire(import.meta.url)('${file}');
export const { ${names.join(', ')} } = ${part};
`;

/** Writes the library into a folder two below package.json, in place of what is there. */
export async function buildLibrary(folder = join(compiled, 'library')): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n');
  await build({
    ...common,
    stdin: {
      contents: Object.entries(parts)
        .map(([name, path]) => `export * as ${name} from './${path}.js';`)
        .join('\n'),
      resolveDir: compiled,
    },
    outdir: folder,
    entryNames: 'library-[hash]',
  });
  const file = readdirSync(folder).find((name) => /^library-\w+\.js$/.test(name))!;
  await build({
    ...common,
    entryPoints: [join(import.meta.dirname, 'library-loader.js')],
    outfile: join(folder, 'loader.js'),
  });
  writeFileSync(
    join(folder, 'redraft.js'),
    `module.exports = require('./loader.js').load(\`\${__dirname}/${file}\`) ?? require('./${file}');\n`,
  );
  await build({
    ...common,
    entryPoints: [join(compiled, `${addition.path}.js`)],
    outfile: join(folder, `${addition.name}.js`),
    // Small; and tools read in it what it exports.
    minifyWhitespace: false,
    minifySyntax: false,
    // `require` of ioredis gives a class, with the rest at it.
    footer: { js: 'module.exports = module.exports.default;' },
    plugins: [libraryIsThere, lazyPackages],
  });
  await build({
    ...common,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    banner: {},
    external: [],
    entryPoints: [join(compiled, 'engine/index.js')],
    outfile: join(folder, 'engine.browser.mjs'),
    inject: [join(import.meta.dirname, 'browser/buffer.js')],
    // cbor-x looks for it there.
    define: { 'globalThis.Buffer': 'Buffer' },
  });
  const library = createRequire(import.meta.url)(join(folder, 'redraft.js')) as object;
  for (const [name, part] of Object.entries(library))
    writeFileSync(
      join(folder, `${name}.mjs`),
      moduleOf('./redraft.js', `library.${name}`, Object.keys(part)),
    );
  const { name } = addition;
  const names = ['Cluster', 'stopAll', 'Command', 'Pipeline', 'ReplyError', 'ScanStream', 'print'];
  writeFileSync(
    join(folder, `${name}.mjs`),
    `${moduleOf(`./${name}.js`, 'library', [...names, 'AbstractConnector', 'SentinelConnector'])}export { library as default, library as Redis };\n`,
  );
  for (const part of threadParts)
    await build({
      ...common,
      entryPoints: [join(compiled, `${part}.js`)],
      outfile: join(folder, `${basename(part)}.js`),
    });
  for (const name of Object.keys(parts))
    writeFileSync(join(folder, `${name}.js`), `module.exports = require('./redraft.js').${name};\n`);
  for (const top of ['src', 'engine', 'raft']) {
    for (const file of readdirSync(join(compiled, top), { recursive: true }) as string[]) {
      if (!file.endsWith('.d.ts')) continue;
      const target = join(folder, 'types', top, file);
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(join(compiled, top, file), target);
    }
  }
}

if (process.argv[1] === import.meta.filename) await buildLibrary();
