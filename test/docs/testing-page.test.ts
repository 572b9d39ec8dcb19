/** The examples of docs/TESTING.md run. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { root } from '../program-path.js';

const project = mkdtempSync(join(tmpdir(), 'redraft-testing-page-'));
after(() => rmSync(project, { recursive: true, force: true }));
mkdirSync(join(project, 'node_modules'));
symlinkSync(root, join(project, 'node_modules/redraft'));
for (const name of ['ioredis', 'redis', '@redis'])
  symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));

function passes(name: string, script: string): void {
  writeFileSync(join(project, name), script);
  const { status, stdout, stderr } = spawnSync(process.execPath, [name], { cwd: project, encoding: 'utf8' });
  assert.equal(status, 0, `${script}\n${stdout}${stderr}`);
}

const blocks = [...readFileSync(join(root, 'docs/TESTING.md'), 'utf8').matchAll(/^```js\n(.*?)^```/gms)].map(
  ([, block]) => block,
);

/** Node before 24 has no syntax for it; the example's own words stand behind it. */
const withoutUsing = (block: string): string =>
  block
    .replace('await using redraft =', 'const redraft =')
    .replace('redis.disconnect();', 'redis.disconnect();\n  await redraft.stop();');

test('whole programs', () => {
  const programs = blocks.filter((block) => block.startsWith('import '));
  assert.ok(programs.length > 0);
  programs.forEach((block, i) => {
    passes(`program-${i}.mjs`, withoutUsing(block));
  });
});

test('the rest, one after the other on one node', () => {
  const parts = blocks.filter((block) => !block.startsWith('import '));
  assert.ok(parts.length >= 4);
  passes(
    'parts.mjs',
    `import assert from 'node:assert/strict';
    import Redis from 'ioredis';
    import { Redraft } from 'redraft';
    const redraft = await Redraft.start();
    const redis = new Redis(redraft.options('ioredis'));
    ${parts.map((part) => `{${part}}`).join('\n')}
    redis.disconnect();
    await redraft.stop();`,
  );
});

test('the packages that come with it are those that it has', () => {
  const page = readFileSync(join(root, 'docs/TESTING.md'), 'utf8');
  const [, table] = page.split('\n## What comes with it\n');
  const listed = [...table.split('\n## ')[0].matchAll(/^\| ([^|]+) \| \d+ \|/gm)].flatMap(([, names]) =>
    names.split(', '),
  );
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean; peer?: boolean }>;
  };
  const installed = Object.entries(packages)
    .filter(([path, { dev, devOptional, peer }]) => path !== '' && !(dev || devOptional || peer))
    .map(([path]) => path.replace('node_modules/', ''))
    // One of them, for the machine at hand.
    .filter((name) => !name.startsWith('@cbor-extract/'));
  assert.deepEqual(listed.toSorted(), ['redraft', ...installed].toSorted());
});
