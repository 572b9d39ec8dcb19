/** The library as other projects load it: by `import`, by `require`, and by what their compilers resolve. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../program-path.js';

const project = mkdtempSync(join(tmpdir(), 'redraft-library-'));
after(() => rmSync(project, { recursive: true, force: true }));
mkdirSync(join(project, 'node_modules'));
symlinkSync(root, join(project, 'node_modules/redraft'));

/** Runs a script of a project that has the package, and gives what it prints. */
function outputOf(name: string, script: string, flags: readonly string[] = []): string {
  writeFileSync(join(project, name), script);
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, name], {
    cwd: project,
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout.trim();
}

const use = `
  (async () => {
    const redraft = await Redraft.start();
    await redraft.stop();
    const engine = new Engine();
    engine.call('PFADD', 'h', 'a');
    engine.call('ZADD', 'z', ...Array.from({ length: 300 }, (_, i) => [i, 'member ' + i]).flat());
    console.log(typeof redraft.url, engine.call('PFCOUNT', 'h'), engine.call('ZCARD', 'z'), Raft.name);
  })();`;

test('CommonJS requires it', () => {
  const script = `const { Redraft } = require('redraft');
    const { Engine } = require('redraft/engine');
    const { Raft } = require('redraft/raft');${use}`;
  assert.equal(outputOf('use.cjs', script), 'string 1 300 Raft');
});

test('ES modules import it', () => {
  const script = `import { Redraft } from 'redraft';
    import { Engine } from 'redraft/engine';
    import { Raft } from 'redraft/raft';${use}`;
  assert.equal(outputOf('use.mjs', script), 'string 1 300 Raft');
});

test('who imports and who requires have the same classes', () => {
  const script = `import { createRequire } from 'node:module';
    import * as redraft from 'redraft';
    import * as engine from 'redraft/engine';
    import Redis, { Cluster, Redis as Named } from 'redraft/ioredis';
    const require = createRequire(import.meta.url);
    const required = [require('redraft'), require('redraft/engine')];
    const alike = [redraft, engine].map((imported, i) =>
      Object.keys(required[i]).length > 0 && Object.entries(required[i]).every(([name, value]) => imported[name] === value));
    console.log(...alike, Redis === require('redraft/ioredis'), Named === Redis, Redis.Cluster === Cluster);`;
  assert.equal(outputOf('alike.mjs', script), 'true true true true true');
});

test('what CommonJS requires is one library: its parts share their classes', () => {
  const script = `const whole = require('redraft/engine');
    console.log(whole === require('redraft/engine'), require.resolve('redraft').includes('library'));`;
  assert.equal(outputOf('shared.cjs', script), 'true true');
});

test('what CommonJS requires runs a cluster, its threads included', () => {
  const script = `const { Redraft } = require('redraft');
    (async () => {
      const notices = [];
      const log = { warning: (text) => notices.push(text), notice() {}, verbose() {}, debug() {} };
      const first = await Redraft.start({ log });
      const second = await Redraft.start({ log, join: first.address });
      console.log(first.node.status().membership.members.length, notices.join());
      await second.stop();
      await first.stop();
    })();`;
  assert.equal(outputOf('cluster.cjs', script), '2');
});

test('a first process leaves compiled code for the next; what V8 refuses is passed over', () => {
  const copy = join(project, 'copy/dist/library');
  cpSync(join(root, 'dist/library'), copy, {
    recursive: true,
    filter: (path) => !path.endsWith('.cache') && !path.includes('types'),
  });
  cpSync(join(root, 'package.json'), join(project, 'copy/package.json'));
  symlinkSync(join(root, 'node_modules'), join(project, 'copy/node_modules'));
  const caches = (): string[] => readdirSync(copy).filter((file) => file.endsWith('.cache'));
  const script = `const { Engine } = require('./copy/dist/library/engine.js');
    const engine = new Engine();
    console.log(engine.call('SET', 'k', 'v'), engine.call('EVAL', 'return 1', 0));`;
  assert.equal(outputOf('cached.cjs', script), 'OK 1');
  const [made] = caches();
  assert.deepEqual(caches(), [made]);
  const written = readFileSync(join(copy, made));
  assert.equal(outputOf('cached.cjs', script), 'OK 1');
  writeFileSync(join(copy, made), 'damaged');
  assert.equal(outputOf('cached.cjs', script), 'OK 1');
  // Not in the place of what is there: releases and flags of V8 would take turns.
  assert.deepEqual(caches(), [made]);
  assert.ok(written.length > 10_000);
  // Another realm than the host's, as Jest has: the test's own Error and Object.
  const realm = `const vm = require('node:vm');
    const { readFileSync } = require('node:fs');
    const sandbox = vm.createContext({ process, Buffer, console, URL, TextDecoder, setTimeout });
    const load = (path) => {
      const module = { exports: {} };
      const wrapped = '(function (exports, require, module, __filename, __dirname) {' + readFileSync(path, 'latin1') + '})';
      const near = (name) => (name.startsWith('./') ? load(require('node:path').join(__dirname, 'copy/dist/library', name)) : require(name));
      vm.runInContext(wrapped, sandbox)(module.exports, near, module, path, __dirname + '/copy/dist/library');
      return module.exports;
    };
    const { Engine } = load(__dirname + '/copy/dist/library/engine.js');
    const [failed] = new Engine().exec([['GET']]);
    console.log(failed instanceof vm.runInContext('Error', sandbox), failed instanceof Error);`;
  assert.equal(outputOf('realm.cjs', realm), 'true false');
});

test('who starts a node leaves more of it, which is taken from then on; flags of V8 have code of their own', () => {
  const copy = join(project, 'copy/dist/library');
  const caches = (): string[] => readdirSync(copy).filter((file) => file.endsWith('.cache'));
  for (const cache of caches()) rmSync(join(copy, cache));
  const engine = `new (require('./copy/dist/library/engine.js').Engine)().call('PING');`;
  const node = `const { Redraft } = require('./copy/dist/library/index.js');
    Redraft.start().then((redraft) => redraft.stop());`;
  const telling = `const { Script } = require('node:vm');
    require('node:vm').Script = class extends Script {
      constructor(...args) { super(...args); console.log(args[1].cachedData?.length, this.cachedDataRejected); }
    };`;
  outputOf('engine.cjs', engine);
  const [early] = caches();
  assert.equal(outputOf('told.cjs', telling + node).endsWith(' false'), true);
  const made = caches();
  assert.equal(made.length, 2);
  const [late] = made.filter((file) => file !== early);
  const { size } = statSync(join(copy, late));
  assert.ok(size > statSync(join(copy, early)).size);
  assert.equal(outputOf('told.cjs', telling + node), `${size} false`);
  assert.deepEqual(caches(), made);
  const flags = ['--max-old-space-size=512'];
  assert.equal(outputOf('told.cjs', telling + node, flags), 'undefined undefined');
  assert.match(outputOf('told.cjs', telling + node, flags), /^\d+ false$/);
  assert.equal(caches().length, 3);
});

test('what is required loads no module of Node that a start can do without', () => {
  const script = `const before = new Set(process.moduleLoadList);
    require('redraft');
    const late = ['crypto', 'tls', 'zlib', 'worker_threads', 'v8'];
    console.log(late.filter((name) => process.moduleLoadList.includes('NativeModule ' + name) &&
      !before.has('NativeModule ' + name)).join());`;
  assert.equal(outputOf('late.cjs', script), '');
});

test('its package.json says to every tool where things are', () => {
  for (const [tool, ...args] of [
    ['publint', '--strict'],
    ['attw', '--pack', '--no-emoji'],
  ] as const) {
    const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin', tool), args, {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, npm_config_ignore_scripts: 'true' },
    });
    assert.equal(status, 0, stdout + stderr);
  }
});
