/** `redraft completion`: what bash proposes, asked of bash; and that zsh reads its script. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseCommandLine } from '../../src/cli/command-line.js';
import { completion } from '../../src/cli/completion.js';
import { helpOf, serveCommand, subcommands } from '../../src/cli/help.js';
import { dashed } from '../../src/cli/options.js';
import { folder, run } from './program-runner.js';

const has = (shell: string): boolean => spawnSync(shell, ['--version']).status === 0;
const script = completion('bash', { json: false });

/** What bash proposes for the last of the words, as it splits a line. */
function proposed(...words: string[]): string[] {
  const asked = `${script}
COMP_WORDS=(redraft "$@"); COMP_CWORD=$#; _redraft; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', asked, 'bash', ...words], {
    encoding: 'utf8',
    cwd: folder,
  });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash', { skip: !has('bash') && 'no bash here' }, async (t) => {
  mkdirSync(join(folder, 'node-data'));
  writeFileSync(join(folder, 'node.conf'), '');

  await t.test('commands', () => {
    assert.deepEqual(proposed('').sort(), subcommands.map(({ name }) => name).sort());
    assert.deepEqual(proposed('st'), ['status']);
    assert.deepEqual(proposed('nothing', ''), []);
  });

  await t.test('all options of each command, and no others', () => {
    for (const { name, table } of [serveCommand, ...subcommands]) {
      const long = [...Object.keys(table).map(dashed), 'help', 'version'].map((key) => `--${key}`);
      const words = name === '' ? ['--'] : [name, '--'];
      assert.deepEqual(proposed(...words).sort(), long.sort(), name);
    }
    const shorts = Object.values(serveCommand.table).flatMap(({ short }) =>
      short === undefined ? [] : [`-${short}`],
    );
    for (const short of shorts) assert.ok(proposed('-').includes(short), short);
    assert.deepEqual(proposed('--durab'), ['--durability']);
  });

  await t.test('values, files, folders', () => {
    assert.deepEqual(proposed('--durability', ''), ['low', 'medium', 'high']);
    assert.deepEqual(proposed('--durability', '=', 'me'), ['medium']);
    assert.deepEqual(proposed('--durability', '='), ['low', 'medium', 'high']);
    assert.deepEqual(proposed('--port', ''), []);
    assert.deepEqual(proposed('--config', 'node'), ['node-data', 'node.conf'].sort());
    assert.deepEqual(proposed('-d', 'node'), ['node-data']);
    assert.deepEqual(proposed('check', 'node'), ['node-data', 'node.conf']);
    assert.deepEqual(proposed('recover', '--dir', 'node'), ['node-data']);
    assert.deepEqual(proposed('completion', ''), ['bash', 'zsh']);
    // An option of the server that a subcommand has not.
    assert.deepEqual(proposed('status', '--durability', 'l'), []);
  });
});

test('zsh reads its script', { skip: !has('zsh') && 'no zsh here' }, () => {
  const text = `autoload -U compinit && compinit -u -d ${join(folder, 'zcompdump')}\n${completion('zsh', { json: false })}\nprint $_comps[redraft]`;
  const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', text], { encoding: 'utf8' });
  assert.deepEqual([stdout, stderr], ['_redraft\n', '']);
});

test('zsh has each option and each value', () => {
  const text = completion('zsh', { json: false });
  for (const { table } of [serveCommand, ...subcommands])
    for (const [key, { type }] of Object.entries(table)) {
      assert.ok(text.includes(`--${dashed(key)}`), key);
      if (type.words !== undefined) assert.ok(text.includes(`:(${type.words.join(' ')})'`), key);
    }
});

test('the command prints what the module makes, and refuses other shells', async () => {
  assert.deepEqual(await run(['completion', 'bash']), { code: 0, stdout: script, stderr: '' });
  const { stdout } = await run(['completion', 'zsh', '--json']);
  const { commands } = JSON.parse(stdout) as { commands: { name: string; flags: { names: string[] }[] }[] };
  assert.deepEqual(
    commands.map(({ name }) => name),
    ['', ...subcommands.map(({ name }) => name)],
  );
  assert.ok(commands[0]!.flags.some(({ names }) => names.includes('--durability')));
  const fish = await run(['completion', 'fish']);
  assert.deepEqual([fish.code, fish.stderr], [2, 'redraft: fish: must be bash or zsh\n']);
  assert.equal((await run(['completion'])).code, 2);
});

test('each subcommand has --help, --json and its exit codes', () => {
  for (const command of subcommands) {
    assert.ok('json' in command.table, command.name);
    const stdout = helpOf(command);
    assert.deepEqual(parseCommandLine([command.name, '--help'], {}), { kind: 'help', text: stdout });
    assert.match(stdout, /\nExit codes\n {2}0: .+\n {2}1: .+\n {2}2: the command line is wrong\n$/);
    assert.match(stdout, / --json /);
    for (const line of stdout.split('\n')) assert.ok(line.length <= 100, line);
  }
  assert.match(helpOf(serveCommand), /\nExit codes\n {2}0: /);
});
