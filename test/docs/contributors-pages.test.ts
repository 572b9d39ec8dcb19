/** What ARCHITECTURE.md and CONTRIBUTING.md list is what there is. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { filesBelow, root } from '../tidy/sources.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const architecture = read('ARCHITECTURE.md');
const manifest = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
};

test('each folder of the three floors has one line', () => {
  const folders = new Set(['engine', 'raft', 'src'].flatMap(filesBelow).map((path) => `${dirname(path)}/`));
  const lines = architecture.slice(architecture.indexOf('## Folders'), architecture.indexOf('## Reading'));
  const listed = [...lines.matchAll(/^ {4}((?:engine|raft|src)\/\S*) /gm)].map((match) => match[1]!);
  assert.deepEqual(listed.sort(), [...folders].sort());
});

test('each dependency has one line', () => {
  const lines = architecture.slice(architecture.indexOf('## Packages'), architecture.indexOf('## Glossary'));
  const listed = [...lines.matchAll(/^- \*\*(.+?)\*\*/gm)].map((match) => match[1]!);
  // The program has some within itself.
  const sources = filesBelow('src').map(read).join('\n');
  const within = Object.keys(manifest.devDependencies).filter(
    (name) => sources.includes(`from '${name}'`) && !(name in manifest.peerDependencies),
  );
  assert.deepEqual(listed.sort(), [...Object.keys(manifest.dependencies), ...within].sort());
});

test('the files that the pages for contributors name are there', () => {
  for (const page of ['ARCHITECTURE.md', 'CONTRIBUTING.md']) {
    for (const [, path] of read(page).matchAll(/`((?:engine|raft|src|test|conformance)\/[\w./-]+?)`/g))
      assert.ok(existsSync(join(root, path!)), `${page} names ${path}`);
  }
});

test('each npm script is explained', () => {
  const contributing = read('CONTRIBUTING.md');
  for (const script of Object.keys(manifest.scripts)) {
    // npm runs it by itself.
    if (script === 'prepare') continue;
    assert.ok(contributing.includes(`\`${script}\``), `CONTRIBUTING.md does not say what ${script} is`);
  }
});
