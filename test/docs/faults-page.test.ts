/** What docs/FAULTS.md names is there: files, tests, and what its commands run. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesBelow, root } from '../tidy/sources.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const rows = read('docs/FAULTS.md')
  .split('\n')
  .filter((line) => /^\| [ABC]\d/.test(line))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const testFiles = filesBelow('test').filter((path) => path.endsWith('.test.ts'));

test('each item has a row', () => {
  const items = new Set(rows.map(([item]) => item));
  for (const [letter, count] of [
    ['A', 12],
    ['B', 7],
    ['C', 2],
  ] as const)
    for (let i = 1; i <= count; i++) assert.ok(items.has(`${letter}${i}`), `${letter}${i} is missing`);
  for (const cells of rows) assert.equal(cells.length, 5, cells.join(' | '));
});

test('the files that rows name are there, and hold the tests that they quote', () => {
  for (const [item, , , tests] of rows) {
    for (const part of tests!.split('; ')) {
      const [, path, names = ''] = /^`([^`]+)`(?:: (.*))?$/.exec(part) ?? assert.fail(`${item}: ${part}`);
      assert.ok(existsSync(join(root, path!)), `${item}: no ${path}`);
      const source = read(path!);
      for (const [, name] of names.matchAll(/"([^"]+)"/g))
        assert.ok(source.includes(name!), `${item}: ${path} has no test ${name}`);
    }
  }
});

test('the commands of rows run the tests that they name', () => {
  for (const [item, , , tests, command] of rows) {
    const npm = /^`npm run ([\w:]+)/.exec(command!);
    if (npm !== null) {
      assert.ok(npm[1]! in scripts, `${item}: no script ${npm[1]}`);
      continue;
    }
    const words = /^`node dist\/test\/run\.js ([^`]+)`$/.exec(command!)?.[1]?.split(' ');
    assert.ok(words !== undefined, `${item}: ${command}`);
    const isRun = (path: string): boolean => words.some((word) => path.replace('.ts', '.js').includes(word));
    for (const word of words)
      assert.ok(
        testFiles.some((path) => path.replace(/^test\//, '').includes(word)),
        `${item}: ${word} runs nothing`,
      );
    for (const [, path] of tests!.matchAll(/`(test\/[^`]+\.test\.ts)`/g))
      assert.ok(isRun(path!.replace(/^test\//, '')), `${item}: ${words.join(' ')} does not run ${path}`);
  }
});
