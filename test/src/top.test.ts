/** `redraft top`: for scripts, and in a terminal. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { Sample } from '../../src/cli/top-sample.js';
import { formatSample } from '../../src/cli/top-screen.js';
import { Redraft } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { until } from '../cluster/nodes.js';
import { programPath } from '../program-path.js';
import { folder, run, start } from './program-runner.js';

async function busy(client: RespClient, isOver: () => boolean): Promise<void> {
  for (let i = 0; !isOver(); i++) {
    await client.call('SET', `k${i % 10}`, 'v', 'EX', '100');
    await client.call('GET', 'k0');
    await client.call('GET', 'none');
  }
}

test('--once --json: what happens in a second, and in whose name', async () => {
  await using redraft = await Redraft.start({ password: 'secret' });
  const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  await client.call('AUTH', 'secret');
  await client.call('CLIENT', 'SETNAME', 'busy');
  let isOver = false;
  const load = busy(client, () => isOver);
  const flags = ['top', '--port', `${redraft.port}`, '--once', '--json', '--interval', '300ms'];
  const { code, stdout, stderr } = await run(flags, { REDRAFT_REQUIREPASS: 'secret' });
  isOver = true;
  await load;
  assert.deepEqual([code, stderr, stdout.split('\n').length], [0, '', 2]);
  const sample = JSON.parse(stdout) as Sample;
  assert.deepEqual([sample.role, sample.members, sample.keys, sample.keysExpiring], ['leader', 1, 10, 10]);
  assert.equal(sample.address, redraft.address);
  assert.ok(sample.callsPerSecond > 10, `${sample.callsPerSecond}`);
  const names = sample.commands.map(({ name }) => name);
  assert.ok(names.includes('set') && names.includes('get'), `${names}`);
  assert.ok(sample.commands.every(({ averageUs, callsPerSecond }) => averageUs >= 0 && callsPerSecond > 0));
  assert.ok(sample.hitRatio! > 0.4 && sample.hitRatio! < 0.6, `${sample.hitRatio}`);
  assert.ok(sample.roundTripMs > 0 && sample.commitMs > 0);
  assert.deepEqual(sample.largestClients.map(({ name }) => name).sort(), ['', 'busy']);
  assert.equal((await run(['top', '--port', `${redraft.port}`, '--once'])).code, 1);
  const text = await run(
    flags.filter((flag) => flag !== '--json'),
    { REDRAFT_REQUIREPASS: 'secret' },
  );
  assert.match(
    text.stdout,
    /^redraft \d+\.\d+\.\d+ 127\.0\.0\.1:\d+: leader, term \d+, 1 member, up \d+ s\n/,
  );
  assert.doesNotMatch(text.stdout, /\x1b/);
  await client.close();
});

test('a node that is not there, and a wrong interval, are said with their codes', async () => {
  const gone = await run(['top', '--address', '127.0.0.1:1', '--once']);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /^redraft: .*127\.0\.0\.1:1.*\n$/);
  const wrong = await run(['top', '--interval', '1']);
  assert.equal(wrong.code, 2);
});

test('it goes on until the output is gone, a line each interval', async () => {
  await using redraft = await Redraft.start();
  const program = start(['top', '--port', `${redraft.port}`, '--json', '--interval', '100ms']);
  await until('three samples', () => program.stdout.split('\n').length > 3);
  program.child.stdout!.destroy();
  assert.equal(await program.exit, 0);
});

test('names of clients neither steer the terminal nor break the screen', () => {
  const sample: Sample = {
    timeMs: 0,
    address: 'a:1',
    version: '1.0.0',
    uptimeSeconds: 5,
    role: 'follower',
    leader: '',
    term: 1,
    members: 3,
    callsPerSecond: 12_345,
    errorsPerSecond: 0,
    inputBytesPerSecond: 2048,
    outputBytesPerSecond: 0,
    roundTripMs: 0.2,
    commitMs: 12,
    syncMs: 1500,
    clients: 1,
    blockedClients: 0,
    usedMemory: 95,
    maxMemory: 100,
    keys: 2_000_000,
    keysExpiring: 0,
    expiredPerSecond: 0,
    evictedPerSecond: 0,
    hitRatio: null,
    commands: Array.from({ length: 12 }, (_, i) => ({
      name: `c${i}`,
      callsPerSecond: 1,
      averageUs: 3,
      p99Us: null,
    })),
    largestClients: [{ address: 'b:2', name: '\x1b[2J\u009bevil', bytes: 1, command: 'get' }],
  };
  const room = { inColour: true, width: 60, height: 40, history: [1, 5, 9] };
  const lines = formatSample(sample, room);
  assert.doesNotMatch(lines.join(''), /\x1b\[2J|\u009b/);
  for (const line of lines) assert.ok([...stripVTControlCharacters(line)].length <= 60, line);
  assert.match(stripVTControlCharacters(lines[0]!), /follower, no leader, term 1, 3 members/);
  assert.equal(formatSample(sample, { ...room, height: 10 }).length, 10);
  assert.doesNotMatch(formatSample(sample, { ...room, inColour: false }).join(''), /\x1b/);
});

test(
  'in a terminal it draws over itself, and gives the terminal back',
  {
    skip: spawnSync('script', ['--version']).status !== 0 && 'no script(1) here',
  },
  async () => {
    await using redraft = await Redraft.start();
    const command = `${process.execPath} ${programPath} top --port ${redraft.port} --interval 100ms`;
    for (const [environment, colour] of [
      [{}, true],
      [{ NO_COLOR: '1' }, false],
    ] as const) {
      const child = spawn('script', ['-qec', command, '/dev/null'], {
        cwd: folder,
        env: { PATH: process.env.PATH, TERM: 'xterm', ...environment },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const exited = once(child, 'close');
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
      await until('it has drawn twice', () => output.split('ops/s').length > 2);
      // The node goes away for a moment: whoever watches goes on watching.
      await redraft.restart({ downMs: 300 });
      const drawn = output.split('ops/s').length;
      await until('it has drawn again', () => output.split('ops/s').length > drawn + 1);
      assert.match(output, /ECONNREFUSED|closed|broke/);
      child.stdin.write('q');
      assert.deepEqual(await exited, [0, null]);
      assert.ok(output.startsWith('\x1b[?1049h') || output.includes('\x1b[?1049h'));
      assert.match(output, /\x1b\[\?25h\x1b\[\?1049l/);
      // Bold and colours; the word that it connects is dim in any case.
      assert.equal(/\x1b\[1m/.test(output), colour);
    }
  },
);
