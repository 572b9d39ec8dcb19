/** docs/OPERATIONS.md: the tests that it names are there, and every error of our own is in its index. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { replies } from '../../src/replies.js';
import { root } from '../tidy/sources.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const page = read('docs/OPERATIONS.md');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** Cells of the rows below a heading, without those of its head. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? assert.fail(`no ${heading}`);
  const rows = section.split('\n').filter((line) => line.startsWith('| '));
  assert.ok(rows.length > 1, heading);
  return rows.slice(1).map((line) => line.slice(2, -2).split(' | '));
}

test('each procedure is run by a test, or measured by a command, that is there', () => {
  const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading!);
  const procedures = headings.filter((heading) => heading !== 'Errors of our own');
  assert.ok(procedures.length >= 6);
  for (const heading of procedures) {
    for (const row of rowsBelow(heading)) {
      const shown = row.at(-1)!;
      const paths = [...shown.matchAll(/`(test\/[^`]+)`(?:: ((?:"[^"]+"(?:, )?)+))?/g)];
      const commands = [...shown.matchAll(/npm run ([\w:-]+)/g)];
      assert.ok(paths.length + commands.length > 0, `${row[0]}: nothing shows it`);
      for (const [, command] of commands) assert.ok(command! in scripts, `${row[0]}: no script ${command}`);
      for (const [, path, names] of paths) {
        assert.ok(existsSync(join(root, path!)), `${row[0]}: no ${path}`);
        const source = read(path!);
        for (const [, name] of (names ?? '').matchAll(/"([^"]+)"/g))
          assert.ok(source.includes(`'${name}`), `${row[0]}: ${path} has no test "${name}"`);
      }
    }
  }
});

/** Errors that are Redis's own, word for word, and mean here what they mean there. */
const redisOwn =
  /^(NOAUTH|NOPERM|NOPROTO|WRONGPASS invalid|EXECABORT|DENIED|IOERR|LOADING Redis|ERR (ACL|AUTH|CLIENT|Can't execute|Client|Command|DEBUG|DISCARD|EXEC|MULTI|No such|Protocol|Replica can't|The 'default'|This Redis|Unmatched|Unrecognized|User|Usernames|WATCH|When using|client-id|max number|timeout|unknown subcommand|Target instance replied|\S+ (is not allowed in|cannot contain)|Error in ACL|\S* ?calls? can not be nested|Syntax error))/;

test('the index has every error that the program makes and Redis does not', () => {
  const index = rowsBelow('Errors of our own').map(([error]) => error!);
  const pattern = (text: string): RegExp =>
    new RegExp(
      `^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\\\.\\\.\\\.|\b(?:N|ID|TEXT|LEVEL|slot|host:port)\b/g, '.*')}$`,
    );
  const known = index.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => pattern(text!)));
  let own = 0;
  for (const [name, reply] of Object.entries(replies)) {
    const made =
      typeof reply === 'function'
        ? (reply as (...args: unknown[]) => { text: string })(...argumentsOf(name))
        : reply;
    const { text } = made;
    if (redisOwn.test(text)) continue;
    own++;
    assert.ok(
      known.some((one) => one.test(text)),
      `${name}: the index lacks "${text}"`,
    );
  }
  assert.ok(own >= 18, `${own}`);
});

/** Something for the places in a reply's text. */
function argumentsOf(name: string): unknown[] {
  if (name === 'execAbortedBecause') return [replies.diskFull];
  if (name === 'requestTooLarge' || name === 'migrateChanged' || name === 'indexPassed') return [7, 8];
  if (name === 'movedTo') return [7, 'host:7481'];
  if (name === 'noLeader') return ['no leader is known: 1 of 3 members reachable'];
  if (name === 'deniedSince') return ['key'];
  return ['word', 'WORD'];
}
