/** What docs/SECURITY.md names as tested is there: tests, what its commands run, transcripts. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { filesBelow, root } from '../tidy/sources.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const page = read('docs/SECURITY.md');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
const testFiles = filesBelow('test').filter((path) => path.endsWith('.test.ts'));

/** The rows of the table below a heading, each as its cells. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? assert.fail(`no ${heading}`);
  const lines = section.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) => line.slice(2, -2).split(' | '));
}

/** Sources of the tests at a path, which is a file or a folder. */
function sourcesAt(path: string): string {
  if (!statSync(join(root, path)).isDirectory()) return read(path);
  const files = testFiles.filter((file) => file.startsWith(`${path}/`));
  assert.ok(files.length > 0, `no tests below ${path}`);
  return files.map(read).join('');
}

/** The tests, scripts and transcripts that a cell names are there, with the names that it quotes. */
function checkTests(row: string, cell: string): void {
  let named = 0;
  for (const part of cell.split(/(?=`test\/)/)) {
    const path = /^`(test\/[^`]+)`/.exec(part)?.[1];
    if (path === undefined) continue;
    named++;
    assert.ok(existsSync(join(root, path)), `${row}: no ${path}`);
    const sources = sourcesAt(path);
    for (const [, name] of part.matchAll(/"([^"]+)"/g))
      assert.ok(sources.includes(`'${name}'`), `${row}: ${path} has no test "${name}"`);
  }
  for (const [, script] of cell.matchAll(/npm run ([\w:-]+)/g)) {
    named++;
    assert.ok(script in scripts, `${row}: no script ${script}`);
  }
  const families = readdirSync(join(root, 'conformance/transcripts'));
  const transcripts = /transcripts? ((?:`\w+`(?:, )?)+)/.exec(cell)?.[1] ?? '';
  for (const [, family] of transcripts.matchAll(/`(\w+)`/g)) {
    named++;
    assert.ok(families.includes(`${family}.txt`), `${row}: no transcript ${family}`);
  }
  assert.ok(named > 0, `${row}: nothing shows it`);
}

test('what each row about who can do what names as its test is there', () => {
  const rows = rowsBelow('Who can do what').filter(([who]) => !/^-+$/.test(who));
  assert.equal(
    rows.length,
    6,
    'stranger, client without rights and with, peer without secret and with, disk',
  );
  for (const [who, can, cannot, tests, ...rest] of rows) {
    assert.ok(can !== '' && cannot !== '' && rest.length === 0, who);
    checkTests(who, tests);
  }
});

test('each fault has its test, and a command that runs it', () => {
  const rows = rowsBelow('Faults and their kinds').filter(([fault]) => !/^-+\|/.test(fault));
  assert.ok(rows.length > 30);
  for (const [fault, kind, mended, tests, shown, ...rest] of rows) {
    assert.ok(kind !== '' && mended !== '' && rest.length === 0, fault);
    checkTests(fault, tests);
    const runs = [...shown.matchAll(/node dist\/test\/run\.js ([^`]+)`/g)].flatMap(([, words]) =>
      words.split(' '),
    );
    const npm = [...shown.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script);
    assert.ok(runs.length + npm.length > 0, `${fault}: no command`);
    for (const script of npm) assert.ok(script in scripts, `${fault}: no script ${script}`);
    for (const word of runs)
      assert.ok(
        testFiles.some((path) => path.slice('test/'.length).replace('.ts', '.js').includes(word)),
        `${fault}: ${word} runs nothing`,
      );
    if (runs.length === 0) continue;
    // At least one of the tests that the row names.
    const isRun = (path: string): boolean => runs.some((word) => path.replace('.ts', '.js').includes(word));
    const named = [...tests.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path);
    for (const path of named.filter((name) => name.endsWith('.test.ts')))
      assert.ok(isRun(path.slice('test/'.length)), `${fault}: its command does not run ${path}`);
  }
});
