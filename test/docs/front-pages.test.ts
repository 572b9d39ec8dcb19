/** What README.md shows runs, and so does what docs/TESTING.md says to write in place of other packages. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseCommandLine } from '../../src/cli/command-line.js';
import { root } from '../program-path.js';

const project = mkdtempSync(join(tmpdir(), 'redraft-front-pages-'));
after(() => rmSync(project, { recursive: true, force: true }));
mkdirSync(join(project, 'node_modules'));
symlinkSync(root, join(project, 'node_modules/redraft'));
for (const name of ['ioredis', 'redis', '@redis'])
  symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));

const read = (page: string): string => readFileSync(join(root, page), 'utf8');

/** Blocks that are set in by four blanks. */
const blocksOf = (page: string): string[] =>
  [...page.matchAll(/(?:^(?: {4}.*)?\n)*^ {4}.*\n/gm)].map(([block]) =>
    block.replaceAll(/^ {4}/gm, '').trim(),
  );

function passes(name: string, script: string): void {
  writeFileSync(join(project, name), script);
  const { status, stdout, stderr } = spawnSync(process.execPath, [name], {
    cwd: project,
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(status, 0, `${script}\n${stdout}${stderr}`);
}

const imports = `import assert from 'node:assert/strict';
import Redis from 'ioredis';
import { createClient } from 'redis';
`;

/** `f();   // null`: the comment is what comes out. */
const checked = (block: string): string =>
  block.replaceAll(/^((?:await )?\w+(?:\.\w+)*\(.*\)); +\/\/ null$/gm, 'assert.equal($1, null);');

const readme = read('README.md');
const blocks = blocksOf(readme);

test('what README.md imports and calls', () => {
  const [tests, cluster, engine, ...more] = blocks.filter((block) => /^(import|const) /.test(block));
  assert.deepEqual(more, []);
  assert.ok(checked(tests).includes('assert') && checked(engine).includes('assert'));
  passes('tests.mjs', imports + checked(tests).replace(/^(?=await redraft\.stop)/m, 'redis.disconnect();\n'));
  passes('cluster.mjs', `${imports}import { Redraft } from 'redraft';\n${cluster}\nawait cluster.stop();`);
  passes('engine.mjs', imports + checked(engine));
});

test('what README.md types into a shell', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const lines = blocks.flatMap((block) => block.split('\n'));
  const named = lines.flatMap((line) => /^npm run ([\w:]+)/.exec(line)?.[1] ?? []);
  assert.ok(named.length > 3);
  assert.deepEqual(
    named.filter((name) => scripts[name] === undefined),
    [],
  );
  const started = lines.flatMap((line) => /npx redraft([^#]*)/.exec(line)?.[1] ?? []);
  assert.ok(started.length > 3);
  // It throws for what it does not know.
  for (const line of started)
    parseCommandLine(
      line.split(' ').filter((word) => word !== ''),
      {},
    );
});

test('what docs/TESTING.md has in place of other packages', () => {
  const [, coming] = read('docs/TESTING.md').split('## Coming from elsewhere\n');
  const after = [...coming.split(/^### /m)].flatMap((section) => {
    const [, place] = /^After[\s\S]*?\n\n((?: {4}.*\n)+)/m.exec(section) ?? [];
    return place === undefined ? [] : [[section.split('\n')[0], place.replaceAll(/^ {4}/gm, '')] as const];
  });
  assert.deepEqual(
    after.map(([name]) => name),
    ['redis-memory-server', 'testcontainers', 'redis-mock'],
  );
  const use: Record<string, string> = {
    'redis-memory-server': `assert.equal(await redis.set('k', 'v'), 'OK'); redis.disconnect();`,
    testcontainers: `await client.connect(); assert.equal(await client.set('k', 'v'), 'OK'); client.destroy();`,
    'redis-mock': `await client.set('k', 'v');
      await new Promise((resolve) => client.legacy().get('k', (error, value) => resolve(assert.equal(value, 'v'))));
      client.destroy();`,
  };
  for (const [name, block] of after) {
    const [begin] = block.replace(/^import .*\n/m, '').split(/^await redraft\.stop\(\);/m);
    passes(
      `${name}.mjs`,
      `${imports}import { Redraft } from 'redraft';\n${begin}${use[name]}\nawait redraft.stop();`,
    );
  }
});
