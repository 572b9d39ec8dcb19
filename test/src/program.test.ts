import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { RespClient } from '../../src/resp/client.js';
import { until } from '../cluster/nodes.js';
import { folder, newDirectory, run, serving, start } from './program-runner.js';

const call = async (port: number, ...args: string[]): Promise<unknown> => {
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  const reply = await client.call(...args);
  await client.close();
  return reply;
};

test('it keeps what it acknowledged through kill -9, and says what it recovered', async () => {
  const dir = newDirectory();
  const first = start(['--port', '0', '--dir', dir]);
  const port = await serving(first);
  assert.match(
    first.stdout,
    /redraft \d+\.\d+\.\d+ serves 127\.0\.0\.1:\d+, data in .*, durability high, process \d+\n/,
  );
  assert.match(first.stdout, /recovered \d+ log entries and no snapshot: 0 keys, in \d+ ms\n/);
  assert.deepEqual(await call(port, 'SET', 'k', 'v'), Buffer.from('OK'));
  first.child.kill('SIGKILL');
  assert.equal(await first.exit, null);

  const second = start(['--port', '0', '--dir', dir]);
  assert.deepEqual(await call(await serving(second), 'GET', 'k'), Buffer.from('v'));
  assert.match(second.stdout, /: 1 keys, in/);
  second.child.kill('SIGTERM');
  assert.equal(await second.exit, 0);
  assert.match(second.stdout, /SIGTERM: stopping\n.*stopped\n$/);
  assert.equal(second.stderr, '');
});

test('SIGINT answers what is in flight before it ends, with clients connected', async () => {
  const program = start(['--port', '0', '--dir', newDirectory()]);
  const port = await serving(program);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  socket.write('INCR n\r\n'.repeat(1000));
  await once(socket, 'data');
  program.child.kill('SIGINT');
  await once(socket, 'close');
  assert.equal(await program.exit, 0);
  const replies = received.split('\r\n').slice(0, -1);
  assert.deepEqual(
    replies,
    replies.map((_, i) => `:${i + 1}`),
  );
});

test('SIGHUP and SIGUSR1 are ignored: no end, and no debugger', async () => {
  const program = start(['--port', '0', '--backend', 'memory']);
  await serving(program);
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) program.child.kill(signal);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit, 0, program.stderr);
  assert.equal(program.stderr, '');
});

test('ps shows address and role', { skip: process.platform !== 'linux' }, async () => {
  const program = start(['--port', '0', '--backend', 'memory', '--loglevel', 'notice']);
  const port = await serving(program);
  const title = (): string => readFileSync(`/proc/${program.child.pid}/cmdline`, 'latin1');
  await until('it leads', () => title().startsWith(`redraft 127.0.0.1:${port} leader`));
  program.child.kill('SIGTERM');
  await program.exit;
});

test('status --watch ends quietly when nobody reads it any more', async () => {
  const program = start(['--port', '0', '--backend', 'memory']);
  const port = await serving(program);
  const watching = start(['status', '--watch', '-p', `${port}`]);
  await once(watching.child.stdout!, 'data');
  watching.child.stdout!.destroy();
  assert.equal(await watching.exit, 0);
  assert.equal(watching.stderr, '');
  program.child.kill('SIGTERM');
  await program.exit;
});

test('a redis.conf: what has no meaning is named once', async () => {
  const config = join(folder, 'redis.conf');
  writeFileSync(config, 'port 0\nbind 127.0.0.1 -::1\ndaemonize yes\ndbfilename dump.rdb\nhz 10\n');
  const program = start(['--config', config, '--backend', 'memory']);
  await serving(program);
  assert.match(program.stdout, /names what has no meaning here: daemonize, hz\n/);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit, 0);
});

test('it serves on when nobody reads its log any more', async () => {
  const program = start(['--port', '0', '--backend', 'memory', '--loglevel', 'debug']);
  const port = await serving(program);
  program.child.stdout!.destroy();
  program.child.stderr!.destroy();
  for (let i = 0; i < 3; i++) await call(port, 'BGSAVE');
  assert.deepEqual(await call(port, 'PING'), Buffer.from('PONG'));
  await assert.rejects(call(port, 'SHUTDOWN'), /closed the connection/);
  assert.equal(await program.exit, 0);
});

test('a client can shut it down', async () => {
  const program = start(['--port', '0', '--backend', 'memory']);
  const port = await serving(program);
  assert.match(program.stdout, /in memory only, process/);
  await assert.rejects(call(port, 'SHUTDOWN'), /closed the connection/);
  assert.equal(await program.exit, 0);
});

test('what stands in the way of a start is one line, and exit code 1', async () => {
  const occupied = createServer();
  occupied.listen(0, '127.0.0.1');
  await once(occupied, 'listening');
  const { port } = occupied.address() as AddressInfo;
  const dir = newDirectory();
  const inUse = await run(['--port', `${port}`, '--dir', dir]);
  assert.equal(inUse.code, 1);
  assert.equal(
    inUse.stderr,
    `redraft: port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another --port\n`,
  );
  occupied.close();

  const address = await run(['--port', '0', '--dir', dir, '--bind', '203.0.113.7']);
  assert.equal(address.stderr, 'redraft: --bind 203.0.113.7: this machine has no such address\n');
  assert.equal(address.code, 1);

  const holder = start(['--port', '0', '--dir', dir]);
  await serving(holder);
  const locked = await run(['--port', '0', '--dir', dir]);
  assert.equal(locked.code, 1);
  assert.match(locked.stderr, /^redraft: .* is in use by process \d+; .*\n$/);
  holder.child.kill('SIGTERM');
  assert.equal(await holder.exit, 0);

  const file = join(folder, 'file');
  writeFileSync(file, '');
  const noDirectory = await run(['--port', '0', '--dir', file]);
  assert.equal(noDirectory.code, 1);
  assert.match(noDirectory.stderr, /^redraft: .*\n$/);
  assert.ok(noDirectory.stderr.includes(file));

  // Root may write everywhere.
  if (process.getuid?.() !== 0) {
    const sealed = join(folder, 'sealed');
    mkdirSync(sealed);
    chmodSync(sealed, 0o500);
    const unwritable = await run(['--port', '0', '--dir', join(sealed, 'data')]);
    assert.equal(unwritable.code, 1);
    assert.match(unwritable.stderr, /^redraft: .*EACCES.*\n$/);
  }
});

test('a wrong command line is one line on stderr, and exit code 2', async () => {
  const wrong = await run(['--port', 'abc']);
  assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  assert.equal(wrong.stderr, 'redraft: --port abc: must be a whole number from 0 to 65535\n');
  const variable = await run([], { REDRAFT_DURABILITY: 'none' });
  assert.equal(variable.code, 2);
  assert.equal(variable.stderr, 'redraft: REDRAFT_DURABILITY=none: must be one of low, medium, high\n');
});

test('--help and --version go to stdout', async () => {
  const help = await run(['--help']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /^A Redis/);
  const version = await run(['--version']);
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^redraft \d+\.\d+\.\d+\n$/);
});

test('check tells a sound directory from none', async () => {
  const dir = newDirectory();
  const program = start(['--port', '0', '--dir', dir]);
  await call(await serving(program), 'SET', 'k', 'v');
  program.child.kill('SIGTERM');
  await program.exit;
  const sound = await run(['check', dir]);
  assert.equal(sound.code, 0, sound.stdout + sound.stderr);
  assert.ok(sound.stdout.includes(dir));
  const none = await run(['check', join(folder, 'nowhere')]);
  assert.equal(none.code, 1);
  assert.match(none.stdout, /is no directory/);
});

test('status asks a running node, with its password', async () => {
  const program = start(['--port', '0', '--backend', 'memory'], { REDRAFT_REQUIREPASS: 'secret' });
  const port = await serving(program);
  const good = await run(['status', '--address', `127.0.0.1:${port}`], { REDRAFT_REQUIREPASS: 'secret' });
  assert.equal(good.code, 0, good.stdout);
  assert.match(good.stdout, /^version +\d/m);
  assert.match(good.stdout, /^\d+ +127\.0\.0\.1:\d+ +leader +\d+ +\d+ +0 +ok$/m);
  assert.match(good.stdout, /^raft_role +leader$/m);
  const refused = await run(['status', '--address', `127.0.0.1:${port}`]);
  assert.equal(refused.code, 1);
  assert.equal(refused.stderr, 'redraft: NOAUTH Authentication required.\n');
  program.child.kill('SIGTERM');
  await program.exit;
  const gone = await run(['status', '--address', `127.0.0.1:${port}`]);
  assert.equal(gone.code, 1);
  assert.ok(gone.stderr.startsWith(`redraft: 127.0.0.1:${port}: `));
});
