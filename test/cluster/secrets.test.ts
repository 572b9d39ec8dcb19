/** Secrets: from files, changed while the cluster runs, and never where somebody could read them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PeerRefusal } from '../../raft/node/index.js';
import { dialPeer } from '../../raft/node/peer/peer-handshake.js';
import { RespClient } from '../../src/resp/client.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import { programPath } from '../program-path.js';
import { plain, TestCluster, until } from './nodes.js';

const host = '127.0.0.1';

function scratch(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'redraft-secrets-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** What a node says to a peer of this secret. */
async function knock(port: number, clusterId: string, secret: string): Promise<string> {
  try {
    const { peer } = await dialPeer({
      address: `${host}:${port}`,
      credentials: { secrets: [secret] },
      introduction: { clusterId, from: 7, to: 0, purpose: 'messages' },
      onFrame: () => {},
      onClose: () => {},
    });
    peer.destroy('seen');
    return 'let in';
  } catch (error) {
    if (error instanceof PeerRefusal) return error.code;
    throw error;
  }
}

test('the secret of a cluster is changed node by node, and nobody is shut out', async (t) => {
  const cluster = await TestCluster.start(t, 3, { clusterSecret: 'old' });
  const leader = await cluster.leader();
  const term = leader.redraft.node.status().term;
  const steps = [['old', 'new'], ['new', 'old'], ['new']];
  for (const secrets of steps) {
    for (const changed of cluster.nodes) {
      changed.redraft.replaceClusterSecrets(secrets);
      // Whatever the others have got so far, every node finds its way to every other one.
      for (const from of cluster.nodes)
        for (const to of cluster.nodes) {
          if (from === to) continue;
          const { transport } = from.redraft.cluster;
          (await transport.dialClient(to.redraft.node.id, to.address)).destroy();
        }
      assert.equal(
        await leader.ask('INCR', 'n'),
        steps.indexOf(secrets) * 3 + cluster.nodes.indexOf(changed) + 1,
      );
    }
  }
  assert.equal(leader.redraft.node.status().term, term);
  const { clusterId } = leader.redraft.cluster;
  assert.equal(await knock(leader.port, clusterId, 'old'), 'secret');
  assert.equal(await knock(leader.port, clusterId, 'new'), 'let in');
  // Connections are made anew with it, and so is the pulse's.
  const [follower] = await cluster.followers();
  await follower.stop();
  await follower.start({ clusterSecret: 'new', join: leader.address });
  await cluster.assertEqual();
  await leader.ask('DEBUG', 'SLEEP', '1');
  assert.equal(leader.redraft.node.status().term, term);
  for (const unfit of [[], ['none'], ['new', 'none']])
    assert.throws(() => leader.redraft.replaceClusterSecrets(unfit), /stop all nodes/);
});

test('--cluster-secret-file is read again at SIGHUP, --requirepass-file at the start', async (t) => {
  const root = scratch(t);
  const [secretFile, passwordFile] = [join(root, 'secret'), join(root, 'password')];
  writeFileSync(secretFile, 'first\n');
  writeFileSync(passwordFile, 'päss word\r\n');
  const port = await freePort();
  const files = ['--cluster-secret-file', secretFile, '--requirepass-file', passwordFile];
  const server = await SpawnedRedraft.start(port, '--backend', 'memory', ...files);
  t.after(() => server.end('SIGKILL'));
  const client = await RespClient.connect({ host, port });
  t.after(() => client.close());
  assert.match(`${plain(await client.call('PING'))}`, /^-NOAUTH/);
  assert.equal(plain(await client.call('AUTH', Buffer.from('päss word'))), 'OK');
  const stats = (plain(await client.call('RAFTSTATS')) as string[]).map(String);
  const clusterId = stats[stats.indexOf('cluster_id') + 1];
  assert.match(clusterId, /^[0-9a-f]{32}$/);
  assert.equal(await knock(port, clusterId, 'first'), 'let in');
  writeFileSync(secretFile, 'second\nfirst\n');
  server.signal('SIGHUP');
  await until('both are taken', async () => (await knock(port, clusterId, 'second')) === 'let in');
  assert.equal(await knock(port, clusterId, 'first'), 'let in');
  writeFileSync(secretFile, '');
  server.signal('SIGHUP');
  await until('it says why not', () => /secrets stay as they are: .* is empty/.test(server.output));
  writeFileSync(secretFile, 'second');
  server.signal('SIGHUP');
  await until(
    'the first is no good any more',
    async () => (await knock(port, clusterId, 'first')) === 'secret',
  );
  const status = spawnSync(process.execPath, [programPath, 'status', '-p', `${port}`, ...files.slice(2)], {
    encoding: 'utf8',
  });
  assert.match(status.stdout, / ok$/m);
});

test('files of secrets that cannot be used stop the start, without a word of what is in them', (t) => {
  const root = scratch(t);
  const empty = join(root, 'empty');
  const long = join(root, 'long');
  writeFileSync(empty, '\n');
  writeFileSync(long, 'hidden1\nhidden2\nhidden3\n');
  const cases: [string[], RegExp][] = [
    [['--requirepass-file', join(root, 'absent')], /--requirepass-file .*absent: cannot be read: ENOENT/],
    [['--requirepass-file', empty], /is empty/],
    [['--requirepass-file', long], /must be one line/],
    [['--cluster-secret-file', long], /must be one line or two/],
    [['--requirepass-file', long, '--requirepass', 'hidden4'], /give one of them/],
    [['--cluster-secret-file', long, '--cluster-secret', 'hidden5'], /give one of them/],
  ];
  for (const [flags, why] of cases) {
    const { status, stderr, stdout } = spawnSync(process.execPath, [programPath, ...flags], {
      encoding: 'utf8',
    });
    assert.equal(status, 2);
    assert.match(stderr, why);
    assert.doesNotMatch(stderr + stdout, /hidden/);
  }
});

test('no secret is in log, INFO, SLOWLOG, MONITOR, ACL LOG, error texts, ps or the data directory', async (t) => {
  const root = scratch(t);
  const directory = join(root, 'data');
  mkdirSync(directory);
  const secret = (name: string): string => `swordfish-${name}`;
  const port = await freePort();
  const server = await SpawnedRedraft.start(
    port,
    ...['--dir', directory, '--loglevel', 'debug', '--durability', 'low'],
    ...['--requirepass', secret('requirepass'), '--cluster-secret', secret('cluster')],
    ...['--tls-key-file-pass', secret('key')],
  );
  t.after(() => server.end('SIGKILL'));
  const heard: string[] = [];
  const connect = async (): Promise<RespClient> => {
    const client = await RespClient.connect({ host, port });
    t.after(() => client.close());
    return client;
  };
  const client = await connect();
  const call = async (...args: string[]): Promise<void> => {
    const reply = plain(await client.call(...args));
    heard.push(JSON.stringify(reply));
  };
  await call('AUTH', secret('requirepass'));
  const monitor = await connect();
  await monitor.call('AUTH', secret('requirepass'));
  await monitor.call('MONITOR');
  const seen = monitor.call('PING').catch(() => {});
  await call('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
  await call('AUTH', secret('wrong'));
  await call('AUTH', 'nobody', secret('wrong'));
  await call('HELLO', '2', 'AUTH', 'default', secret('wrong'));
  await call('HELLO', '2', 'AUTH', 'default', secret('requirepass'));
  await call('ACL', 'SETUSER', 'alice', 'on', `>${secret('alice')}`, '+@all', '~*');
  await call('ACL', 'SETUSER', 'alice', `<${secret('absent')}`);
  await call('ACL', 'SETUSER', 'alice', `#${secret('nohash')}`);
  await call('CONFIG', 'SET', 'requirepass', secret('changed'), 'maxmemory', 'nonsense');
  await call('CONFIG', 'SET', 'requirepass', secret('changed'));
  await call('CONFIG', 'SET', 'tls-key-file-pass', secret('otherkey'));
  await call('SET', 'k', 'v');
  await call('MIGRATE', host, '1', 'k', '0', '100', 'AUTH', secret('target'));
  await call('MIGRATE', host, '1', 'k', '0', '100', 'AUTH2', 'user', secret('target'));
  await call('MULTI');
  await call('AUTH', secret('queued'));
  await call('EXEC');
  await call('RAFTSNAPSHOT');
  for (const what of [
    'INFO everything',
    'SLOWLOG GET -1',
    'ACL LOG',
    'ACL LIST',
    'ACL GETUSER alice',
    'CLIENT LIST',
  ])
    await call(...what.split(' '));
  await call('RAFTSTATS');
  await seen;
  const threads = spawnSync('ps', ['-o', 'args=', '-p', `${server.pid}`], { encoding: 'utf8' });
  heard.push(threads.stdout ?? '', readFileSync(`/proc/${server.pid}/cmdline`, 'latin1'));
  assert.equal(await server.end('SIGTERM'), 0);
  heard.push(server.output);
  for (const name of readdirSync(directory, { recursive: true, withFileTypes: true }))
    if (name.isFile()) heard.push(readFileSync(join(name.parentPath ?? name.path, name.name), 'latin1'));
  // It did what it was asked, and told of it.
  assert.ok(heard.some((text) => text.includes('alice')));
  for (const text of heard) {
    // An error that quotes a rule quotes what the client itself has just sent.
    if (/^"-ERR Error in ACL SETUSER modifier/.test(text)) continue;
    assert.doesNotMatch(text, /swordfish/);
  }
});
