/**
 * TLS as those who are not Redraft speak it: client libraries through a rotation of certificates and a
 * failover, redis-py, and redis-server at the other end of MIGRATE.
 */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type TestContext, test as testAnywhere } from 'node:test';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Redraft } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, until } from '../cluster/nodes.js';
import { freePort } from '../durability/spawned.js';
import { Authority, type Issued, withoutOpenssl } from './certificates.js';

function test(name: string, run: (t: TestContext) => Promise<void>): void {
  testAnywhere(name, { skip: withoutOpenssl, timeout: 120_000 }, run);
}

const host = '127.0.0.1';
const run = promisify(execFile);

/** Counts up with a client, for as long as it is told to; every reply must be plausible. */
class Counter {
  /** The last value that was acknowledged. */
  acknowledged = 0;
  /** Errors that say that a write's outcome is unknown, or that there is no leader now. */
  readonly told: string[] = [];
  private isOver = false;
  private readonly work: Promise<void>;

  constructor(increment: () => Promise<number>) {
    this.work = (async () => {
      while (!this.isOver) {
        try {
          const value = await increment();
          assert.ok(value > this.acknowledged, `${value} behind ${this.acknowledged}`);
          this.acknowledged = value;
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          this.told.push((error as Error).message);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    })();
  }

  async goesOn(): Promise<void> {
    const before = this.acknowledged;
    await until('counting goes on', () => this.acknowledged > before + 5);
  }

  stop(): Promise<void> {
    this.isOver = true;
    return this.work;
  }
}

test('ioredis and node-redis go on through new certificates and a failover', async (t) => {
  const authority = new Authority(t);
  const issued: Issued[] = [];
  const tls = (name: string): { files: Issued['files']; secret: string } => {
    const one = authority.issue(name);
    issued.push(one);
    return { files: one.files, secret: 'open sesame' };
  };
  const options = (name: string): object => {
    const { files, secret } = tls(name);
    return { tls: { ...files, cluster: true }, clusterSecret: secret, follower: 'forward' };
  };
  const cluster = await TestCluster.start(t, 1, options('one'));
  for (const name of ['two', 'three']) await cluster.add(options(name));
  const leader = await cluster.leader();
  const [follower] = await cluster.followers();
  const { context } = authority.issue('client');
  const routed = new Redis.Cluster([{ host, port: follower.port }], { redisOptions: { tls: context } });
  const near = new Redis({ host, port: follower.port, tls: context });
  const other = createClient({
    url: `rediss://${host}:${follower.port}`,
    socket: { tls: true, ...context, reconnectStrategy: 50 },
  });
  for (const client of [routed, near]) {
    client.on('error', () => {});
    t.after(() => client.disconnect());
  }
  other.on('error', () => {});
  t.after(() => other.destroy());
  await other.connect();
  const counters = [
    new Counter(() => routed.incr('a')),
    new Counter(() => near.incr('b')),
    new Counter(() => other.incr('c')),
  ];
  const allGoOn = (): Promise<unknown> => Promise.all(counters.map((counter) => counter.goesOn()));
  await allGoOn();
  for (const [i, node] of cluster.nodes.entries()) {
    authority.issue(`renewed${i}`).replace(issued[i]!);
    assert.equal(node.redraft.reloadCertificates(), true);
    // Connections that stand go on; new ones meet the new certificate.
    near.disconnect(true);
    await allGoOn();
  }
  for (const counter of counters.filter((_, i) => i !== 1)) assert.deepEqual(counter.told, []);
  await leader.stop();
  await allGoOn();
  await leader.start({ join: follower.address });
  await allGoOn();
  await Promise.all(counters.map((counter) => counter.stop()));
  for (const [i, key] of ['a', 'b', 'c'].entries())
    assert.ok(Number(await follower.ask('GET', key)) >= counters[i]!.acknowledged);
  await cluster.assertEqual();
});

const python = '/usr/bin/python3';
const script = `
import redis, sys
port, ca, cert, key = int(sys.argv[1]), *sys.argv[2:5]
r = redis.Redis(host='127.0.0.1', port=port, ssl=True, ssl_ca_certs=ca, ssl_certfile=cert, ssl_keyfile=key)
assert r.set('k', 'v' * 100000) and len(r.get('k')) == 100000
assert r.execute_command('ACL', 'WHOAMI') == b'py'
with r.pipeline() as p:
    p.incr('n'); p.incr('n')
    assert p.execute() == [1, 2]
s = r.pubsub(); s.subscribe('c'); assert s.get_message(timeout=5)['type'] == 'subscribe'
r.publish('c', 'm'); assert s.get_message(timeout=5)['data'] == b'm'
try:
    redis.Redis(host='127.0.0.1', port=port, ssl=True, ssl_ca_certs=ca).ping()
    print('let in without a certificate')
except redis.exceptions.ConnectionError:
    print('done')
`;

test('redis-py with a certificate that names its user', async (t) => {
  const isThere =
    existsSync(python) &&
    (await run(python, ['-c', 'import redis']).then(
      () => true,
      () => false,
    ));
  if (!isThere) {
    t.diagnostic('no redis-py: apt-get install python3-redis');
    return;
  }
  const authority = new Authority(t);
  const redraft = await Redraft.start({ tls: { ...authority.issue('node').files, authClientsUser: 'CN' } });
  t.after(() => redraft.stop());
  // Whom a certificate does not name as a user begins as the default one.
  const admin = await RespClient.connect({ host, port: redraft.port, tls: authority.issue('admin').context });
  t.after(() => admin.close());
  assert.equal(plain(await admin.call('ACL', 'SETUSER', 'py', 'on', '+@all', '~*', '&*')), 'OK');
  const { caCertFile, certFile, keyFile } = authority.issue('py');
  const { stdout } = await run(python, ['-c', script, `${redraft.port}`, caCertFile, certFile, keyFile]);
  assert.equal(stdout.trim(), 'done');
});

/** A redis-server whose only port speaks TLS, also where it is the client. */
async function redisServer(t: TestContext, { certFile, keyFile, caCertFile }: Issued): Promise<number> {
  const port = await freePort();
  const server = spawn(
    'redis-server',
    [
      ...['--port', '0', '--tls-port', `${port}`, '--tls-cluster', 'yes', '--save', '', '--appendonly', 'no'],
      ...['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caCertFile],
    ],
    { stdio: 'ignore' },
  );
  t.after(() => server.kill('SIGKILL'));
  return port;
}

test('MIGRATE to redis-server and back, over TLS', async (t) => {
  // The one of some distributions is built without TLS.
  const { stderr, error } = spawnSync('redis-server', ['--tls-port', '0', '--version'], { encoding: 'utf8' });
  if (error !== undefined || />>> 'tls-port/.test(stderr)) {
    t.diagnostic('there is no redis-server that speaks TLS');
    return;
  }
  const authority = new Authority(t);
  const port = await redisServer(t, authority.issue('redis'));
  const redraft = await Redraft.start({ tls: { ...authority.issue('node').files, cluster: true } });
  t.after(() => redraft.stop());
  const { context } = authority.issue('client');
  let theirs: RespClient | undefined;
  await until('redis-server listens', async () => {
    theirs = await RespClient.connect({ host, port, tls: context }).catch(() => undefined);
    return theirs !== undefined;
  });
  const ours = await RespClient.connect({ host, port: redraft.port, tls: context });
  t.after(async () => {
    await Promise.all([ours.close(), theirs!.close()]);
  });
  const ask = async (client: RespClient, ...words: string[]): Promise<unknown> =>
    plain(await client.call(...words));
  await ask(ours, 'SET', 's', 'x'.repeat(1_000_000));
  await ask(ours, 'XADD', 'stream', '1-1', 'f', 'v');
  await ask(ours, 'ZADD', 'z', '1.5', 'm');
  const keys = ['s', 'stream', 'z'];
  assert.equal(await ask(ours, 'MIGRATE', host, `${port}`, '', '0', '5000', 'KEYS', ...keys), 'OK');
  assert.equal(await ask(ours, 'EXISTS', ...keys), 0);
  assert.deepEqual(await ask(theirs!, 'XRANGE', 'stream', '-', '+'), [['1-1', ['f', 'v']]]);
  assert.equal(
    await ask(theirs!, 'MIGRATE', host, `${redraft.port}`, '', '0', '5000', 'KEYS', ...keys),
    'OK',
  );
  assert.equal(await ask(theirs!, 'EXISTS', ...keys), 0);
  assert.equal(await ask(ours, 'STRLEN', 's'), 1_000_000);
  assert.equal(await ask(ours, 'ZSCORE', 'z', 'm'), '1.5');
});
