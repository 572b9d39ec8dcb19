/**
 * The package's types under every way in which TypeScript resolves modules; where it does so as CommonJS and
 * as an ES module, all of the package's own files are checked as well.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import ts from 'typescript';

/** What a project writes, with each of the package's exports. */
const source = `
import { type CommandCall, type LocalCluster, Redraft, type RedraftOptions } from 'redraft';
import { Engine } from 'redraft/engine';
import Redis, { Cluster } from 'redraft/ioredis';
import { Raft } from 'redraft/raft';

const options: RedraftOptions = { seed: 1, now: new Date('2031-01-01') };

export async function use(): Promise<string | null> {
  const redraft = await Redraft.start(options);
  redraft.faults.fail('OOM', { command: 'set', key: /^k/ }, { times: 1 });
  const sent: readonly CommandCall[] = redraft.commands.all();
  const cluster: LocalCluster<Redraft> = await Redraft.cluster(3);
  await cluster.kill(0);
  const redis = new Redis({ data: { k: 'v' }, notifyKeyspaceEvents: 'KEA' });
  const nodes = new Cluster([{ host: 'localhost', port: 6379 }]).nodes();
  const engine = new Engine({ seed: 1 });
  engine.call('SET', 'k', 'v', 'PX', 100);
  // @ts-expect-error there is no such option
  await Redraft.start({ nosuch: 1 });
  // @ts-expect-error a key is text or bytes
  await redraft.get(1);
  return sent.length + nodes.length === 0 ? Raft.name : redis.get('k');
}
`;
for (const file of ['use.ts', 'use.cts', 'use.mts']) writeFileSync(file, source);

const ways = [
  ['node10', { module: 'CommonJS', moduleResolution: 'Node10', skipLibCheck: false }, 'use.ts'],
  ['node16, as CommonJS', { module: 'Node16', moduleResolution: 'Node16' }, 'use.cts'],
  ['node16, as an ES module', { module: 'Node16', moduleResolution: 'Node16' }, 'use.mts'],
  ['nodenext, as CommonJS', { module: 'NodeNext', moduleResolution: 'NodeNext' }, 'use.cts'],
  ['nodenext, as an ES module', { module: 'NodeNext', moduleResolution: 'NodeNext' }, 'use.mts'],
  ['bundler', { module: 'ESNext', moduleResolution: 'Bundler', skipLibCheck: false }, 'use.ts'],
];

const libraries = new Map();

for (const [name, { module, moduleResolution, skipLibCheck = true }, file] of ways) {
  test(name, () => {
    const options = {
      noEmit: true,
      strict: true,
      skipLibCheck,
      skipDefaultLibCheck: true,
      esModuleInterop: true,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.esnext.disposable.d.ts'],
      types: ['node'],
      module: ts.ModuleKind[module],
      moduleResolution: ts.ModuleResolutionKind[moduleResolution],
    };
    const host = ts.createCompilerHost(options);
    const { getSourceFile } = host;
    // The language's own types are read once.
    host.getSourceFile = (path, ...rest) => {
      if (!path.includes('/typescript/lib/')) return getSourceFile(path, ...rest);
      if (!libraries.has(path)) libraries.set(path, getSourceFile(path, ...rest));
      return libraries.get(path);
    };
    const program = ts.createProgram([file], options, host);
    const found = ts.getPreEmitDiagnostics(program).map(({ file: at, messageText }) => {
      return `${at?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
    assert.deepEqual(found, []);
  });
}
