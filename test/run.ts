/**
 * Runs every compiled `*.test.js` below dist/test with Node's own runner (`node --test` of Node 20 takes no
 * glob).
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
/** A file runs if any word is in its path, and none that stands behind a `!`. */
const wanted = words.filter((word) => !word.startsWith('!'));
const unwanted = words.filter((word) => word.startsWith('!')).map((word) => word.slice(1));
const files = (readdirSync(root, { recursive: true }) as string[])
  .filter(
    (file) =>
      file.endsWith('.test.js') &&
      (wanted.length === 0 || wanted.some((word) => file.includes(word))) &&
      !unwanted.some((word) => file.includes(word)),
  )
  .sort()
  .map((file) => join(root, file));
if (files.length === 0) {
  console.error(`no test file matches ${words.join(' ')}`);
  process.exit(1);
}
// Most files wait more than they compute: as many at a time as there are processors (Node's own choice is one
// fewer).
const result = spawnSync(
  process.execPath,
  ['--test', `--test-concurrency=${availableParallelism()}`, ...files],
  { stdio: 'inherit' },
);
process.exit(result.status ?? 1);
