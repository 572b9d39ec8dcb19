/** Progress of what moves data: a bar on a terminal, and nothing of it in a pipe. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { openProgress } from '../../src/cli/progress.js';
import { ProgressBar } from '../../src/cli/progress-bar.js';
import { RespClient } from '../../src/resp/client.js';
import { folder, nodeOf, runCommand, runDataOrCheck } from '../migration/command.js';
import { programPath, root } from '../program-path.js';

const rdb = join(root, 'test/migration/redis-7.0.15.rdb');

/** Keeps what is written to it. */
class Screen extends Writable {
  text = '';

  constructor(
    readonly isTTY: boolean,
    readonly columns = 80,
  ) {
    super({
      write: (chunk: Buffer, _encoding, done) => {
        this.text += chunk.toString();
        done();
      },
    });
  }

  /** What was drawn, a state after the other. */
  get drawn(): string[] {
    return stripVTControlCharacters(this.text.replaceAll('\x1b[1G', '\n')).split('\n').filter(Boolean);
  }
}

const run = (screen: Screen | undefined, ...args: string[]): ReturnType<typeof runCommand> =>
  runCommand(args, runDataOrCheck, screen);

/** Each way that data go, as a command line. */
async function everyWay(t: TestContext): Promise<[string, ...string[]][]> {
  const dir = folder(t);
  const [source, target] = [await nodeOf(t), await nodeOf(t)];
  const client = await RespClient.connect({ host: '127.0.0.1', port: source.port });
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.call('SET', `k${i}`, 'v'.repeat(1000))));
  await client.close();
  const to = ['--to', target.address, '--replace'];
  const from = ['--from', source.address];
  return [
    ['keys', 'export', join(dir, 'a.rdb'), ...from],
    ['keys', 'import', join(dir, 'a.rdb'), ...to],
    ['keys', 'import', `redis://${source.address}`, '--once', ...to],
    ['written', 'backup', join(dir, 'a.backup'), ...from],
    ['reads', 'restore', join(dir, 'a.backup'), '--dir', join(dir, 'data')],
  ];
}

test('a bar on a terminal, whichever way data go, of which nothing stays', async (t) => {
  for (const [word, ...args] of await everyWay(t)) {
    const screen = new Screen(true);
    const { code, said } = await run(screen, ...args);
    assert.deepEqual([code, said], [0, ''], args.join(' '));
    assert.match(screen.drawn.at(-1) ?? '', new RegExp(`^#{24} +100 % .*${word}`), args.join(' '));
    assert.ok(screen.text.endsWith('\x1b[2K'), JSON.stringify(screen.text.slice(-40)));
  }
});

test('no bar in a pipe, nor beside a JSON object', async (t) => {
  const node = await nodeOf(t);
  const [dir, from] = [folder(t), ['--from', node.address]];
  const commands = [
    ['export', join(dir, 'a.rdb'), ...from],
    ['import', join(dir, 'a.rdb'), '--to', node.address],
    ['backup', join(dir, 'a.backup'), ...from],
    ['restore', join(dir, 'a.backup'), '--dir', join(dir, 'data')],
  ];
  for (const args of commands) {
    const terminal = new Screen(true);
    assert.equal((await run(terminal, ...args, '--json')).code, 0);
    assert.doesNotMatch(terminal.text, /\x1b|#/, args.join(' '));
  }
  const pipe = new Screen(false);
  assert.equal((await run(pipe, 'import', rdb, '--dry-run')).code, 0);
  assert.doesNotMatch(pipe.text, /\x1b|#/);
});

test('a bar goes away for a line that stays, and for an error', async () => {
  const screen = new Screen(true);
  const print = (text: string): void => void screen.write(text);
  const progress = await openProgress({ print, terminal: screen }, true);
  progress.say('reads a', 30, 100);
  progress.note('connecting again');
  progress.say('replays to entry', 7, undefined);
  progress.state(() => '5 bytes behind');
  progress.end();
  progress.end();
  const shown = screen.drawn;
  assert.match(shown[0], /^#{7}\.{17} {2}30 % reads a 30 of 100/);
  assert.ok(screen.text.includes('\x1b[2Kconnecting again\n'), 'the line is empty before');
  assert.deepEqual(shown.slice(-2), ['replays to entry 7', '5 bytes behind']);

  const failing = new Screen(true);
  const { code, said } = await run(failing, 'import', join(root, 'package.json'), '--dry-run');
  assert.equal(code, 1);
  assert.match(said, /^redraft: /);
  assert.ok(failing.text.endsWith(said));
});

test('a bar is no wider than the terminal', () => {
  const screen = new Screen(true, 40);
  const bar = new ProgressBar(screen);
  bar.show({ text: 'x'.repeat(100), done: 1, total: 2 });
  bar.clear();
  assert.deepEqual(
    screen.drawn.map((line) => line.length),
    [40],
  );
});

test('a log gets a line each second at most', async (t) => {
  const lines: string[] = [];
  let nowMs = 0;
  t.mock.method(performance, 'now', () => nowMs);
  const progress = await openProgress({ print: (text) => lines.push(text) }, true);
  for (let i = 0; i <= 30; i++) {
    progress.tell(i * 100, i * 1000, 40_000);
    nowMs += 100;
  }
  assert.equal(lines.length, 3, lines.join(''));
  assert.match(lines[0], /^\d+ keys, \d+ bytes, \d+ keys a second \(\d+ %\)\n$/);
});

const withoutScript = spawnSync('script', ['--version']).status === 0 ? false : 'there is no script(1)';

test('the program: a bar in a terminal, none in a pipe', { skip: withoutScript }, async () => {
  const command = [process.execPath, programPath, 'import', rdb, '--dry-run'];
  const env = { PATH: process.env.PATH, TERM: 'xterm' };
  const terminal = spawn('script', ['-qec', command.map((word) => `'${word}'`).join(' '), '/dev/null'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  await once(terminal, 'close');
  assert.match(shown, /#{24} +100 % /);
  assert.match(shown, /restored {5}0/);
  const piped = spawn(command[0], [...command.slice(1, 3), '-', '--dry-run'], { env });
  piped.stdin.end(readFileSync(rdb));
  let said = '';
  piped.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  assert.deepEqual(await once(piped, 'close'), [0, null]);
  assert.doesNotMatch(said, /\x1b|#/);
});

test('only who draws a bar loads the package', () => {
  const partsWithIt = ['main', 'data-commands', 'check', 'progress-bar'].filter((part) =>
    readFileSync(join(dirname(programPath), `${part}.js`), 'utf8').includes('class SingleBar'),
  );
  assert.deepEqual(partsWithIt, ['progress-bar']);
});
