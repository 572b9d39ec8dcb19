/** `redraft --http` as its operator types it: the port, the token, HTTPS, and how it starts and ends. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseCommandLine, UsageError } from '../../src/cli/command-line.js';
import { until } from '../cluster/nodes.js';
import { folder, newDirectory, type Program, run, serving, start } from '../src/program-runner.js';
import { Authority, withoutOpenssl } from '../tls/certificates.js';

const node = ['--port', '0', '--backend', 'memory'];

const urlOf = ({ stdout }: Program): string => /(https?:\/\/\S+) has health/.exec(stdout)![1]!;

test('nothing listens and nothing is loaded without --http', async () => {
  const program = start(node);
  await serving(program);
  assert.doesNotMatch(program.stdout, /http/);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit, 0);
});

test('it opens before the node serves, asks for the token of its file, and closes at the end', async () => {
  writeFileSync(join(folder, 'token'), 'from-a-file\n');
  const program = start([...node, '--http', '0', '--http-token-file', 'token']);
  await serving(program);
  const url = urlOf(program);
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.ok(program.stdout.indexOf(url) < program.stdout.indexOf(' serves '));
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  assert.equal((await fetch(`${url}/metrics`)).status, 401);
  const headers = { authorization: 'Bearer from-a-file' };
  const metrics = await (await fetch(`${url}/metrics`, { headers })).text();
  assert.match(metrics, /^redraft_build_info\{version="\d+\.\d+\.\d+",node_version="v\d+/m);
  assert.match(await (await fetch(url)).text(), /^<!doctype html>/);
  program.child.kill('SIGTERM');
  assert.equal(await program.exit, 0);
  await assert.rejects(fetch(`${url}/healthz`));
});

test('it warns where anybody may look', async () => {
  const program = start([...node, '--http', '0.0.0.0:0']);
  await serving(program);
  assert.match(program.stdout, /warning anybody who reaches 0\.0\.0\.0:\d+ may see metrics/);
  program.child.kill('SIGTERM');
  await program.exit;
});

test('a port in use, and a token given twice, are said in one line', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await until('it listens', () => taken.listening);
  const { port } = taken.address() as AddressInfo;
  const directory = newDirectory();
  const { code, stderr } = await run(['--port', '0', '--dir', directory, '--http', `${port}`]);
  taken.close();
  assert.deepEqual([code, stderr.split('\n').length], [1, 2]);
  assert.match(stderr, new RegExp(`^redraft: --http 127\\.0\\.0\\.1:${port}: .*EADDRINUSE`));
  const twice = await run(['--http', '1', '--http-token', 'a', '--http-token-file', 'b']);
  assert.equal(twice.code, 2);
  assert.match(twice.stderr, /^redraft: --http-token and --http-token-file are one thing/);
});

test('--http takes a port or an address with one', () => {
  const parsed = (text: string): unknown => {
    const command = parseCommandLine(['--http', text], {});
    return command.kind === 'serve' && command.options.http;
  };
  assert.deepEqual(parsed('9121'), { host: '127.0.0.1', port: 9121 });
  assert.deepEqual(parsed('0.0.0.0:0'), { host: '0.0.0.0', port: 0 });
  assert.deepEqual(parsed('[::1]:9121'), { host: '::1', port: 9121 });
  for (const wrong of ['', 'a', '65536', ':1', '1.2.3:1', '-1', '[::1]', '::1:1', '1:2:3', ' 1'])
    assert.throws(() => parsed(wrong), UsageError, wrong);
});

test(
  'HTTPS goes by the certificate of the node, and by another one after SIGHUP',
  { skip: withoutOpenssl },
  async (t) => {
    const authority = new Authority(t);
    const first = authority.issue('first');
    const program = start([...node, '--http', '0', '--http-tls', 'yes', ...first.flags]);
    await serving(program);
    const { hostname, port } = new URL(urlOf(program));
    assert.match(urlOf(program), /^https:/);
    const nameShown = (): Promise<string | undefined> =>
      new Promise((resolve, reject) => {
        request({ hostname, port, path: '/readyz', ca: first.context.ca, agent: false }, (response) => {
          const { socket } = response as unknown as { socket: import('node:tls').TLSSocket };
          const { CN } = socket.getPeerCertificate().subject;
          response.resume().on('end', () => resolve(response.statusCode === 200 ? `${CN}` : undefined));
        })
          .on('error', reject)
          .end();
      });
    assert.equal(await nameShown(), 'first');
    authority.issue('second').replace(first);
    program.child.kill('SIGHUP');
    await until('it shows the other one', async () => (await nameShown()) === 'second');
    assert.match(program.stdout, /the certificate of HTTPS is read again/);
    program.child.kill('SIGTERM');
    assert.equal(await program.exit, 0);
  },
);
