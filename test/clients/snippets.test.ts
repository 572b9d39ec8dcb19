/**
 * Every snippet of docs/CLIENTS.md, as it stands there but for the ports, where its language is installed.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { TestCluster } from '../cluster/nodes.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../../..');

interface Language {
  /** Its file's end, and what runs it. */
  readonly end: string;
  readonly command: readonly string[];
  /** Fails where it, or its library, is not installed. */
  probe(code: string): readonly string[];
}

const languages: Readonly<Record<string, Language>> = {
  js: { end: 'mjs', command: [process.execPath], probe: () => [process.execPath, '--version'] },
  // Debian's own, whatever comes first in the path.
  python: {
    end: 'py',
    command: ['/usr/bin/python3'],
    probe: () => ['/usr/bin/python3', '-c', 'import redis.cluster'],
  },
  ruby: { end: 'rb', command: ['ruby'], probe: () => ['ruby', '-e', "require 'redis'"] },
  php: {
    end: 'php',
    command: ['php'],
    probe: (code) => [
      'php',
      '-r',
      code.includes('Predis')
        ? "require 'Predis/Autoloader.php';"
        : "exit(class_exists('RedisCluster') ? 0 : 1);",
    ],
  },
  perl: { end: 'pl', command: ['perl'], probe: () => ['perl', '-MRedis', '-e', '1'] },
  sh: { end: 'sh', command: ['sh'], probe: () => ['redis-cli', '--version'] },
};

const text = readFileSync(join(root, 'docs/CLIENTS.md'), 'utf8');
const snippets = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
  language,
  code,
}));

/** Runs all that are meant for nodes of a mode; each prints the value that it has written. */
async function runAll(t: TestContext, follower: 'moved' | 'forward'): Promise<number> {
  const cluster = await TestCluster.start(t, 3, { follower });
  // Where the project's own packages are found.
  const folder = mkdtempSync(join(root, 'dist/snippets-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;
  for (const [i, { language, code }] of snippets.entries()) {
    if (code.includes('mymaster') !== (follower === 'forward')) continue;
    const { end, command, probe } = languages[language];
    const [file, ...words] = probe(code);
    try {
      await run(file, words);
    } catch {
      t.diagnostic(`not installed: what a snippet in ${language} needs`);
      continue;
    }
    const path = join(folder, `${i}.${end}`);
    writeFileSync(
      path,
      code.replace(/748([123])/g, (_, n) => `${cluster.nodes[Number(n) - 1].port}`),
    );
    await cluster.nodes[0].ask('DEL', 'foo');
    const { stdout } = await run(command[0], [...command.slice(1), path], { timeout: 20_000 });
    assert.equal(stdout.trim(), 'bar', code);
    count++;
  }
  return count;
}

test('snippets for Redis Cluster run', async (t) => {
  assert.ok((await runAll(t, 'moved')) >= 2);
});

test('snippets for Sentinel run', async (t) => {
  assert.ok((await runAll(t, 'forward')) >= 2);
});

test('each snippet is in a language that is known here', () => {
  assert.ok(snippets.length >= 12);
  for (const { language } of snippets) assert.ok(Object.hasOwn(languages, language), language);
});
