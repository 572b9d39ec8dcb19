/**
 * The port that speaks TLS: who gets in, who does not, what it costs, and how certificates change while it is
 * open.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { type TestContext, test as testAnywhere } from 'node:test';
import { connect, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { createLog, Redraft, type RedraftOptions, type TlsOptions } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { plain, until } from '../cluster/nodes.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import { Authority, type Issued, withoutOpenssl } from './certificates.js';

function test(name: string, run: (t: TestContext) => Promise<void>): void {
  testAnywhere(name, { skip: withoutOpenssl }, run);
}

const host = '127.0.0.1';
/** A text as bytes in latin1. */
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

interface Started {
  readonly redraft: Redraft;
  readonly lines: string[];
}

async function start(t: TestContext, tls: TlsOptions, options: RedraftOptions = {}): Promise<Started> {
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line));
  const redraft = await Redraft.start({ ...options, tls, log });
  t.after(() => redraft.stop());
  return { redraft, lines };
}

/** Resolves when a socket is gone, be it by an error. */
const gone = (socket: net.Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => resolve());
  });

/** One command over a connection of its own. */
async function ask(port: number, tls: SecureContextOptions | undefined, ...args: string[]): Promise<unknown> {
  const client = await RespClient.connect({ host, port, tls });
  try {
    return plain(await client.call(...args));
  } finally {
    await client.close();
  }
}

/** What comes of a connection that is not to be let in: its error, or `closed`. */
async function refusal(port: number, tls: SecureContextOptions): Promise<string> {
  const socket = connect({ ...tls, host, port, checkServerIdentity: () => undefined });
  let error = 'closed';
  socket.on('error', (failure: NodeJS.ErrnoException) => {
    error = failure.code === 'ECONNRESET' ? 'closed' : failure.message;
  });
  socket.on('data', () => {
    error = 'let in';
    socket.destroy();
  });
  socket.write('PING\r\n');
  await gone(socket);
  return error;
}

test('TLS is all that is spoken where no other port is given; clients show a certificate', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const client = authority.issue('client');
  const { redraft, lines } = await start(t, node.files);
  assert.match(redraft.url, /^rediss:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(redraft.tlsPort, redraft.port);
  assert.equal(await ask(redraft.port, client.context, 'SET', 'k', 'v'), 'OK');
  // Without a certificate, and with one of a stranger.
  const { ca } = client.context;
  assert.notEqual(await refusal(redraft.port, { ca }), 'let in');
  const stranger = new Authority(t, 'another').issue('client');
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.notEqual(await refusal(redraft.port, { ...stranger.context, ca }), 'let in');
  await until('the log has both', () =>
    [/did not return a certificate/, /its certificate is refused: \w+/].every((what) =>
      lines.some((line) => what.test(line)),
    ),
  );
  const info = `${await ask(redraft.port, client.context, 'INFO', 'server')}`;
  assert.match(info, /tls_port:\d+\r\ntls_certificate_expires_in_days:36[45]\r\n/);
  assert.match(info, /tls_authority_expires_in_days:36(49|50)\r\ntls_handshakes_failed:2\r\n/);
});

test('a port for TLS beside the plain one', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const { redraft } = await start(t, { ...node.files, port: 0 });
  assert.match(redraft.url, /^redis:/);
  assert.equal(await ask(redraft.port, undefined, 'SET', 'k', 'v'), 'OK');
  const { tlsPort } = redraft;
  assert.equal(await ask(tlsPort!, node.context, 'GET', 'k'), 'v');
  await redraft.restart();
  assert.equal(redraft.tlsPort, tlsPort);
  assert.equal(await ask(tlsPort!, node.context, 'GET', 'k'), 'v');
});

test('options for client libraries say whom to trust', async (t) => {
  const authority = new Authority(t);
  const { redraft } = await start(t, { ...authority.issue('node').files, authClients: 'no' });
  const redis = new Redis({ ...redraft.options('ioredis'), lazyConnect: true });
  t.after(() => redis.disconnect());
  assert.equal(await redis.ping(), 'PONG');
  const other = createClient(redraft.options('redis'));
  other.on('error', () => {});
  t.after(() => other.destroy());
  await other.connect();
  assert.equal(await other.ping(), 'PONG');
});

test('tls-auth-clients: no asks for none, optional wants a good one if there is one', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const { ca } = node.context;
  const stranger = { ...new Authority(t, 'another').issue('client').context, ca };
  const { redraft: open } = await start(t, {
    certFile: node.certFile,
    keyFile: node.keyFile,
    authClients: 'no',
  });
  assert.equal(await ask(open.port, { ca }, 'PING'), 'PONG');
  assert.equal(await ask(open.port, stranger, 'PING'), 'PONG');
  const { redraft: optional } = await start(t, { ...node.files, authClients: 'optional' });
  assert.equal(await ask(optional.port, { ca }, 'PING'), 'PONG');
  assert.equal(await ask(optional.port, node.context, 'PING'), 'PONG');
  assert.notEqual(await refusal(optional.port, stranger), 'let in');
});

test('versions, ciphers, sessions', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const { redraft } = await start(t, {
    ...node.files,
    protocols: 'TLSv1.2',
    ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  });
  const shown = async (port: number, more: object = {}): Promise<TLSSocket> => {
    const socket = connect({ ...node.context, host, port, checkServerIdentity: () => undefined, ...more });
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  };
  const old = await shown(redraft.port);
  assert.equal(old.getProtocol(), 'TLSv1.2');
  assert.equal(old.getCipher().standardName, 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256');
  assert.match(await refusal(redraft.port, { ...node.context, minVersion: 'TLSv1.3' }), /version/);
  const session = old.getSession();
  assert.equal((await shown(redraft.port, { session })).isSessionReused(), true);
  const { redraft: without } = await start(t, { ...node.files, protocols: 'TLSv1.2', sessionCaching: false });
  const first = await shown(without.port);
  assert.equal((await shown(without.port, { session: first.getSession() })).isSessionReused(), false);
  const { redraft: suites } = await start(t, { ...node.files, ciphersuites: 'TLS_CHACHA20_POLY1305_SHA256' });
  assert.equal((await shown(suites.port)).getCipher().name, 'TLS_CHACHA20_POLY1305_SHA256');
});

test('keys with a password, directories of authorities, DHE; what cannot be used stops the start', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node', { password: 'sésame' });
  const directory = join(authority.root, 'authorities');
  mkdirSync(directory);
  copyFileSync(node.caCertFile, join(directory, 'authority.pem'));
  writeFileSync(join(directory, 'README'), 'nothing to read here');
  const { certFile, keyFile } = node;
  const given: TlsOptions = { certFile, keyFile, keyFilePass: 'sésame', caCertDir: directory };
  const client = authority.issue('client');
  const { redraft } = await start(t, given);
  assert.equal(await ask(redraft.port, client.context, 'PING'), 'PONG');
  const bad: [TlsOptions, RegExp][] = [
    [{}, /no tls-cert-file/],
    [{ certFile }, /no tls-key-file/],
    [
      { certFile, keyFile, caCertDir: directory },
      /tls-key-file: .*(passphrase|password|decrypt|processing|bad|interrupted)/i,
    ],
    [{ ...given, caCertDir: undefined }, /need.*tls-ca-cert-file/],
    [{ ...given, caCertFile: keyFile }, /holds no certificate/],
    [{ ...given, keyFile: client.keyFile }, /key values mismatch/],
    [{ ...given, protocols: 'TLSv1.1' }, /known are TLSv1.2 and TLSv1.3/],
    [{ ...given, ciphers: 'NONE-OF-THESE' }, /no cipher match/],
    [{ ...given, ciphers: 'TLS_AES_128_GCM_SHA256' }, /name it in tls-ciphersuites/],
    [{ ...given, ciphersuites: 'ECDHE-RSA-AES128-GCM-SHA256' }, /no suite of TLS 1.3/],
    [{ ...given, dhParamsFile: join(directory, 'absent') }, /cannot be read/],
    [{ ...given, colour: 'green' } as TlsOptions, /tls has no option 'colour'/],
  ];
  for (const [options, why] of bad) await assert.rejects(Redraft.start({ tls: options }), why);
});

test('a certificate is replaced by CONFIG SET while clients go on', async (t) => {
  const authority = new Authority(t);
  const first = authority.issue('first');
  const second = authority.issue('second', { days: 5 });
  const { redraft, lines } = await start(t, first.files);
  const name = async (): Promise<string> => {
    const socket = connect({
      ...first.context,
      host,
      port: redraft.port,
      checkServerIdentity: () => undefined,
    });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return `${CN}`;
  };
  const client = await RespClient.connect({ host, port: redraft.port, tls: first.context });
  t.after(() => client.close());
  const set = async (...args: string[]): Promise<unknown> =>
    plain(await client.call('CONFIG', 'SET', ...args));
  assert.equal(await name(), 'first');
  // One of the two alone does not fit, and changes nothing.
  assert.match(`${await set('tls-cert-file', second.certFile)}`, /^-ERR CONFIG SET failed .*'tls-cert-file'/);
  assert.equal(await name(), 'first');
  assert.deepEqual(plain(await client.call('CONFIG', 'GET', 'tls-cert-file')), [
    'tls-cert-file',
    first.certFile,
  ]);
  assert.equal(await set('tls-cert-file', second.certFile, 'tls-key-file', second.keyFile), 'OK');
  assert.equal(await name(), 'second');
  assert.equal(plain(await client.call('PING')), 'PONG');
  assert.ok(lines.some((line) => /warning this node's TLS certificate .* expires in [45] days/.test(line)));
  // The same files with another content.
  authority.issue('third').replace(second);
  assert.equal(redraft.reloadCertificates(), true);
  assert.equal(await name(), 'third');
  writeFileSync(second.certFile, 'damaged');
  assert.equal(redraft.reloadCertificates(), false);
  assert.equal(await name(), 'third');
  assert.equal(
    await set('tls-port', '1'),
    "-ERR CONFIG SET failed (possibly related to argument 'tls-port') - can't set immutable config",
  );
  assert.match(
    `${await set('tls-auth-clients', 'perhaps')}`,
    /must be one of the following: no, yes, optional/,
  );
});

test('the common name of a certificate is the user, if there is such a user', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const { redraft } = await start(t, { ...node.files, authClientsUser: 'CN' });
  const admin = node.context;
  const rules = ['on', '+get', '+set', '+acl|whoami', '+reset', '~a:*'];
  assert.equal(await ask(redraft.port, admin, 'ACL', 'SETUSER', utf8('änne'), ...rules), 'OK');
  assert.equal(await ask(redraft.port, admin, 'ACL', 'SETUSER', 'off', 'off', '+@all', '~*'), 'OK');
  const anne = await RespClient.connect({ host, port: redraft.port, tls: authority.issue('änne').context });
  t.after(() => anne.close());
  assert.equal(plain(await anne.call('ACL', 'WHOAMI')), utf8('änne'));
  assert.equal(plain(await anne.call('SET', 'a:1', 'x')), 'OK');
  assert.match(`${plain(await anne.call('GET', 'b'))}`, /^-NOPERM/);
  assert.equal(plain(await anne.call('RESET')), 'RESET');
  assert.match(`${plain(await anne.call('GET', 'b'))}`, /^-NOPERM/);
  // No user, or one that is off: as without a certificate.
  for (const other of ['off', 'nobody'])
    assert.equal(await ask(redraft.port, authority.issue(other).context, 'ACL', 'WHOAMI'), 'default');
  // The user's connection ends with it, whoever vouches.
  assert.equal(await ask(redraft.port, admin, 'ACL', 'DELUSER', utf8('änne')), 1);
  await until('it is cut off', () => anne.closed);
});

test('plain bytes, half a handshake and silence end, counted, with few lines in the log', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const { redraft, lines } = await start(t, node.files);
  const ended = async (bytes: Buffer | string): Promise<number> => {
    const socket = net.connect({ host, port: redraft.port });
    socket.on('error', () => {});
    socket.resume();
    if (bytes.length > 0) socket.write(bytes);
    const since = performance.now();
    await gone(socket);
    return performance.now() - since;
  };
  const plainBytes = await Promise.all(Array.from({ length: 200 }, () => ended('*1\r\n$4\r\nPING\r\n')));
  assert.ok(Math.max(...plainBytes) < 4000);
  const half = Buffer.from('16030100c8010000c40303', 'hex');
  for (const ms of await Promise.all([ended(''), ended(half), ended(half.subarray(0, 1))]))
    assert.ok(ms > 3000 && ms < 9000, `${ms}`);
  assert.match(`${await ask(redraft.port, node.context, 'INFO')}`, /tls_handshakes_failed:203/);
  const told = lines.filter((line) => / no TLS with 127/.test(line));
  assert.ok(told.length >= 2 && told.length < 15, `${told.length}`);
  assert.ok(told.some((line) => /and \d+ others before/.test(line)));
});

test('a flood of handshakes does not keep clients from their replies', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const { redraft } = await start(t, node.files);
  const client = await RespClient.connect({ host, port: redraft.port, tls: node.context });
  t.after(() => client.close());
  // Connections that begin and never end theirs, as many as a machine lets one process have.
  const flood = Array.from({ length: 600 }, () => {
    const socket = net.connect({ host, port: redraft.port });
    socket.on('error', () => {});
    socket.write(Buffer.from('16030100c8010000c40303', 'hex'));
    return socket;
  });
  t.after(() => {
    for (const socket of flood) socket.destroy();
  });
  for (let i = 0; i < 50; i++) assert.equal(plain(await client.call('INCR', 'n')), i + 1);
  // Who comes now gets its turn all the same: those that are slow give way.
  assert.equal(await ask(redraft.port, node.context, 'GET', 'n'), '50');
});

test('clients beyond maxclients are told so over TLS', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const { redraft } = await start(t, node.files, { maxClients: 1 });
  const client = await RespClient.connect({ host, port: redraft.port, tls: node.context });
  t.after(() => client.close());
  await client.call('PING');
  assert.equal(await ask(redraft.port, node.context, 'PING'), '-ERR max number of clients reached');
});

test('large values and pipelines, and a client that ends its side, over TLS', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const { redraft } = await start(t, node.files);
  const client = await RespClient.connect({ host, port: redraft.port, tls: node.context });
  t.after(() => client.close());
  const value = Buffer.alloc(20_000_000, 'abcdefg');
  await client.call('SET', 'big', value);
  const replies = await Promise.all([
    client.call('GET', 'big'),
    ...Array.from({ length: 20_000 }, () => client.call('INCR', 'n')),
    client.call('GET', 'big'),
  ]);
  assert.ok(value.equals(replies[0] as Buffer) && value.equals(replies.at(-1) as Buffer));
  assert.equal(plain(replies[20_000]), 20_000);
  const socket = connect({ ...node.context, host, port: redraft.port, checkServerIdentity: () => undefined });
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk;
  });
  socket.end('INCR n\r\nINCR n\r\n');
  await gone(socket);
  assert.equal(heard, ':20001\r\n:20002\r\n');
});

/**
 * What a program prints; undefined if it is not there, or does not know TLS. The server may be in this
 * process: nothing may wait.
 */
function run(program: string, args: string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 20_000 }, (error, stdout, stderr) =>
      resolve(error?.code === 'ENOENT' || /Unrecognized option/.test(stderr) ? undefined : stdout),
    );
  });
}

const serve: Record<string, (t: TestContext, node: Issued) => Promise<number>> = {
  embedded: async (t, node) => (await start(t, node.files)).redraft.port,
  spawned: async (t, node) => {
    const port = await freePort();
    const server = await SpawnedRedraft.start(
      0,
      '--tls-port',
      `${port}`,
      '--backend',
      'memory',
      ...node.flags,
    );
    t.after(() => server.end('SIGTERM'));
    return port;
  },
};

for (const [name, begin] of Object.entries(serve)) {
  test(`ioredis, node-redis and redis-cli over TLS, ${name}`, async (t) => {
    const authority = new Authority(t);
    const port = await begin(t, authority.issue('node'));
    const client = authority.issue('client');
    const redis = new Redis(`rediss://${host}:${port}`, { tls: client.context });
    t.after(() => redis.disconnect());
    redis.on('error', () => {});
    assert.equal(await redis.set('k', 'ioredis'), 'OK');
    assert.equal(await redis.get('k'), 'ioredis');
    const other = createClient({ url: `rediss://${host}:${port}`, socket: { tls: true, ...client.context } });
    // The node may end before it does.
    other.on('error', () => {});
    t.after(() => other.destroy());
    await other.connect();
    assert.equal(await other.get('k'), 'ioredis');
    assert.equal(await other.incr('n'), 1);
    const cli = await run('redis-cli', ['-h', host, '-p', `${port}`, ...client.cliFlags, 'GET', 'k']);
    if (cli === undefined) t.diagnostic('there is no redis-cli that speaks TLS');
    else assert.equal(cli.trim(), 'ioredis');
  });
}

test('SIGHUP reads the certificates again', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('before');
  const port = await freePort();
  const server = await SpawnedRedraft.start(0, '--tls-port', `${port}`, '--backend', 'memory', ...node.flags);
  t.after(() => server.end('SIGTERM'));
  assert.equal(await ask(port, node.context, 'PING'), 'PONG');
  authority.issue('after', { days: 3 }).replace(node);
  server.signal('SIGHUP');
  await until('it has', () =>
    /TLS certificates are read: this node's is good for [23] days/.test(server.output),
  );
  assert.equal(await ask(port, node.context, 'PING'), 'PONG');
  writeFileSync(node.keyFile, 'damaged');
  server.signal('SIGHUP');
  await until('it has not', () => /TLS stays as it is: tls-cert-file, tls-key-file/.test(server.output));
});
