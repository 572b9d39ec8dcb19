/** The log: its forms, its file, the system's log, and what repeats. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, type LogRecord, recordingLog } from '../../src/observability/log.js';
import { RepeatLimit } from '../../src/observability/repeat-limit.js';
import { RespClient } from '../../src/resp/client.js';
import { until } from '../cluster/nodes.js';
import { folder, newDirectory, type Program, run, serving, start } from './program-runner.js';

const node = ['--port', '0', '--backend', 'memory', '--enable-debug-command', 'local'];

async function call(port: number, ...args: string[]): Promise<void> {
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  assert.deepEqual(await client.call(...args), Buffer.from('OK'));
  await client.close();
}

async function end(program: Program): Promise<void> {
  program.child.kill('SIGTERM');
  assert.equal(await program.exit, 0, program.stderr);
}

/** The port of a node whose log is elsewhere: it is asked for until somebody answers. */
async function portIn(path: string): Promise<number> {
  let port: string | undefined;
  await until('it serves', () => {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    port = /recovered/.test(text) ? /serves \S+:(\d+),/.exec(text)?.[1] : undefined;
    return port !== undefined;
  });
  return Number(port);
}

test('a line says when, how grave and what, and nothing in it ends it', () => {
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line));
  log.notice('a\nb\x1b[31m', { event: 'peers' });
  log.verbose('too fine', { event: 'peers' });
  log.warning('it failed: Error: x\n    at f (file.ts:1:2)', { event: 'internal-error' });
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z notice a\\x0ab\\x1b\[31m\n$/);
  assert.match(lines[1]!, /Z warning it failed: Error: x\n {4}at f \(file\.ts:1:2\)\n$/);
});

test('of one event no more than 20 lines pass, and the rest is counted', () => {
  const passed: LogRecord[] = [];
  const limit = new RepeatLimit((record) => passed.push(record));
  const log = recordingLog('debug', (record) => limit.take(record));
  for (let i = 0; i < 50; i++) {
    log.notice(`no TLS with ${i}`, { event: 'tls-failed' });
    if (i % 10 === 0) log.warning('another', { event: 'client-closed' });
  }
  assert.equal(passed.filter(({ fields }) => fields.event === 'tls-failed').length, 20);
  assert.equal(passed.filter(({ fields }) => fields.event === 'client-closed').length, 5);
  limit.close();
  const { level, text, fields } = passed.at(-1)!;
  assert.deepEqual(
    [level, text, fields],
    [
      'notice',
      '30 more lines like this one were left out: no TLS with 49',
      { event: 'lines-left-out', count: 30, reason: 'tls-failed' },
    ],
  );
  // Then it begins anew.
  log.notice('no TLS with 50', { event: 'tls-failed' });
  assert.equal(passed.at(-1)!.text, 'no TLS with 50');
  limit.close();
});

test('--log-format json: an object a line, whatever the text', async () => {
  const program = start([...node, '--log-format', 'json']);
  let port = 0;
  await until('it serves', () => {
    port = Number(/"event":"serving","address":"127\.0\.0\.1:(\d+)"/.exec(program.stdout)?.[1] ?? 0);
    return port > 0;
  });
  await call(port, 'DEBUG', 'LOG', 'a "quote"\n\x1b[31m and \u00e9');
  await end(program);
  const lines = program.stdout.trimEnd().split('\n');
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const record of records) {
    assert.deepEqual(Object.keys(record).slice(0, 4), ['level', 'time', 'pid', 'event']);
    assert.ok(Math.abs(Date.parse(`${record.time}`) - Date.now()) < 60_000);
    assert.equal(record.pid, program.child.pid);
  }
  const of = (event: string): Record<string, unknown> => records.find((record) => record.event === event)!;
  assert.match(`${of('serving').version}`, /^\d+\.\d+\.\d+$/);
  assert.equal(typeof of('leader').term, 'number');
  assert.deepEqual(
    [of('debug-log').level, `${of('debug-log').msg}`.includes('a "quote"\n')],
    ['warning', true],
  );
  assert.deepEqual([of('stopping').reason, records.at(-1)!.event], ['SIGTERM', 'stopped']);
  assert.equal(program.stderr, '');
});

test('--logfile: standard output stays empty, SIGHUP opens a new file, none is lost', async () => {
  const path = join(folder, 'redraft.log');
  writeFileSync(path, 'what was there\n');
  const program = start([...node, '--logfile', 'redraft.log']);
  const port = await portIn(path);
  await call(port, 'DEBUG', 'LOG', 'first');
  await until('it is written', () => readFileSync(path, 'utf8').includes('DEBUG LOG: first'));
  renameSync(path, `${path}.1`);
  program.child.kill('SIGHUP');
  await until('a new file is there', () => existsSync(path));
  await call(port, 'DEBUG', 'LOG', 'second');
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  assert.deepEqual(await client.call('CONFIG', 'GET', 'logfile'), [
    Buffer.from('logfile'),
    Buffer.from(path),
  ]);
  await client.close();
  await end(program);
  const [old, fresh] = [readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')];
  assert.match(old, /^what was there\n/);
  assert.match(old, /first/);
  assert.doesNotMatch(old, /second/);
  assert.match(fresh, /second[\s\S]*stopped\n$/);
  assert.equal(program.stdout, '');
});

test('a log that cannot be opened is said before anything is founded', async () => {
  const directory = newDirectory();
  const { code, stderr, stdout } = await run(['--dir', directory, '--logfile', 'nowhere/redraft.log']);
  assert.deepEqual([code, stdout], [1, '']);
  assert.equal(stderr, 'redraft: --logfile nowhere/redraft.log cannot be opened: ENOENT\n');
  assert.equal(existsSync(directory), false);
  const none = await run(['--dir', directory, '--syslog-enabled', 'yes'], { PATH: folder });
  assert.equal(none.code, 1);
  assert.match(none.stderr, /^redraft: --syslog-enabled yes: logger cannot be run: .*ENOENT\n$/);
});

test(
  'a full disk under the log does not end the node',
  { skip: !existsSync('/dev/full') && 'no /dev/full' },
  async () => {
    const program = start([...node, '--logfile', '/dev/full']);
    // It says nowhere where it listens; that it ends well shows that it served.
    const isUp = (): boolean =>
      readFileSync(`/proc/${program.child.pid}/cmdline`, 'latin1').includes('leader');
    await until('it serves', isUp);
    await end(program);
    assert.equal(program.stdout + program.stderr, '');
  },
);

test('--syslog-enabled: each line to logger, with its severity', async () => {
  // In its place, as it is on the path: what it is called with, and what it reads.
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'logger'), '#!/bin/sh\necho "$@" > args\nexec cat > lines\n');
  chmodSync(join(bin, 'logger'), 0o755);
  const flags = ['--syslog-enabled', 'yes', '--syslog-ident', 'orders', '--syslog-facility', 'local3'];
  const program = start([...node, ...flags], { PATH: `${bin}:${process.env.PATH}` });
  const port = await serving(program);
  await call(port, 'DEBUG', 'LOG', '<0>forged\n<0>line');
  await end(program);
  const { pid } = program.child;
  assert.equal(readFileSync(join(folder, 'args'), 'utf8'), `--prio-prefix --tag orders --id=${pid}\n`);
  const lines = readFileSync(join(folder, 'lines'), 'utf8').trimEnd().split('\n');
  // local3 is 19: notice 157, warning 156.
  assert.equal(lines.length, program.stdout.trimEnd().split('\n').length);
  for (const line of lines) assert.match(line, /^<(157>\S+ notice|156>\S+ warning) /);
  assert.ok(
    lines.some((line) => line.startsWith('<156>') && line.endsWith('DEBUG LOG: <0>forged\\x0a<0>line')),
  );
  assert.match(lines.at(-1)!, /stopped$/);
});
