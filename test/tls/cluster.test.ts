/**
 * A cluster whose nodes speak TLS with each other: joining, forwarding, pulses, snapshots, rotation,
 * failover, and who is not let in.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test as testAnywhere } from 'node:test';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { PeerRefusal } from '../../raft/node/index.js';
import { dialPeer } from '../../raft/node/peer/peer-handshake.js';
import { createLog, Redraft, type RedraftOptions } from '../../src/index.js';
import { TestCluster, type TestNode, until } from '../cluster/nodes.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import { programPath } from '../program-path.js';
import { Authority, type Issued, withoutOpenssl } from './certificates.js';

function test(name: string, run: (t: TestContext) => Promise<void>): void {
  testAnywhere(name, { skip: withoutOpenssl }, run);
}

const host = '127.0.0.1';
const clusterSecret = 'open sesame';

/** Three nodes, each with a certificate of its own. */
async function threeNodes(
  t: TestContext,
  authority: Authority,
  shared: RedraftOptions = {},
): Promise<{ cluster: TestCluster; issued: Issued[]; lines: string[] }> {
  const issued = ['one', 'two', 'three'].map((name) => authority.issue(name));
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line));
  const tls = (i: number): RedraftOptions => ({
    tls: { ...issued[i].files, cluster: true },
    clusterSecret,
    log,
  });
  const cluster = await TestCluster.start(t, 1, { ...shared, ...tls(0) });
  for (const i of [1, 2]) await cluster.add(tls(i));
  return { cluster, issued, lines };
}

const termOf = (node: TestNode): number => node.redraft.node.status().term;

test('three nodes over TLS: writes, forwarding, a busy leader, a failover, a snapshot, one state', async (t) => {
  const authority = new Authority(t);
  const { cluster } = await threeNodes(t, authority, { follower: 'forward' });
  const [first] = await cluster.followers();
  for (let i = 0; i < 100; i++) assert.equal(await first.ask('INCR', 'n'), i + 1);
  // Frames in pieces.
  const value = 'x'.repeat(8_000_000);
  assert.equal(await first.ask('SET', 'big', value), 'OK');
  assert.equal(await first.ask('GET', 'big'), value);
  // The pulse has come by TLS, too: the leader's silence is excused.
  const leader = await cluster.leader();
  const term = termOf(leader);
  await leader.ask('DEBUG', 'SLEEP', '1.2');
  assert.equal(await first.ask('INCR', 'n'), 101);
  assert.equal(termOf(leader), term);
  assert.equal((await cluster.leader()) === leader, true);
  // A failover.
  await leader.stop();
  const next = await cluster.leader();
  await until('the other one forwards', async () => (await first.ask('INCR', 'n')) === 102 || next === first);
  // What was missed comes by the log or by a snapshot, over TLS as all else.
  await next.ask('RAFTSNAPSHOT');
  await leader.start({ join: next.address });
  await cluster.assertEqual();
});

test('nodes get other certificates, and another authority, under load; no write is lost', async (t) => {
  const authority = new Authority(t);
  const other = new Authority(t, 'another');
  const { cluster, issued } = await threeNodes(t, authority, { follower: 'forward' });
  const [follower] = await cluster.followers();
  const term = termOf(follower);
  let written = 0;
  let isOver = false;
  const failures: unknown[] = [];
  const load = (async () => {
    while (!isOver) {
      const reply = await follower.ask('INCR', 'n');
      if (reply === written + 1) written++;
      else failures.push(reply);
    }
  })();
  const everywhere = async (step: (node: TestNode, files: Issued) => void): Promise<void> => {
    for (const [i, node] of cluster.nodes.entries()) {
      step(node, issued[i]);
      assert.equal(node.redraft.reloadCertificates(), true);
      const before = written;
      await until('writes go on', () => written > before + 5);
    }
  };
  // Both authorities are trusted first, then certificates of the new one come, then the old one goes.
  await everywhere((_node, files) => files.trust(authority, other));
  await everywhere((_node, files) => other.issue('renewed').replace(files));
  await everywhere((_node, files) => files.trust(other));
  isOver = true;
  await load;
  assert.deepEqual(failures, []);
  assert.equal(termOf(follower), term);
  const leader = await cluster.leader();
  await leader.stop();
  await cluster.leader();
  await leader.start({ join: follower.address });
  await until('all are equal', () => cluster.running.length === 3);
  assert.ok(Number(await follower.ask('GET', 'n')) >= written);
  await cluster.assertEqual();
});

test('no peer comes in by plain TCP, without a certificate, or with one of a stranger', async (t) => {
  const authority = new Authority(t);
  const node = authority.issue('node');
  const tls = { ...node.files, authClients: 'no', cluster: true } as const;
  const plainPort = await freePort();
  const redraft = await Redraft.start({ port: plainPort, tls: { ...tls, port: 0 }, clusterSecret });
  t.after(() => redraft.stop());
  const knock = async (
    port: number,
    context: object | undefined,
    secret = clusterSecret,
  ): Promise<string> => {
    try {
      const { peer } = await dialPeer({
        address: `${host}:${port}`,
        credentials: { secrets: [secret], tls: context },
        introduction: { clusterId: redraft.cluster.clusterId, from: 7, to: 0, purpose: 'messages' },
        onFrame: () => {},
        onClose: () => {},
      });
      peer.destroy('seen');
      return 'let in';
    } catch (error) {
      return error instanceof PeerRefusal ? `${error.code}: ${error.message}` : (error as Error).message;
    }
  };
  const { ca } = node.context;
  const stranger = new Authority(t, 'another').issue('node').context;
  // Whoever dials for peers comes to the port for TLS.
  assert.equal(redraft.port, redraft.tlsPort);
  assert.equal(await knock(redraft.tlsPort!, node.context), 'let in');
  assert.match(await knock(redraft.tlsPort!, node.context, 'guessed'), /^secret/);
  assert.match(await knock(redraft.tlsPort!, { ca }), /^closed: .*--tls-cluster yes/);
  assert.match(await knock(redraft.tlsPort!, { ...stranger, ca }), /^closed: .*--tls-cluster yes/);
  assert.match(await knock(plainPort, undefined), /^closed: .*--tls-cluster yes/);
  // A node does not speak with who it cannot judge either.
  assert.match(await knock(redraft.tlsPort!, stranger), /certificate|self.signed/i);
});

test('what cannot become a cluster does not start', async (t) => {
  const { files } = new Authority(t).issue('node');
  await assert.rejects(
    Redraft.start({ configuration: { 'tls-cluster': 'yes' } }),
    /tls-cluster needs a port for TLS/,
  );
  await assert.rejects(Redraft.start({ tls: files, join: '127.0.0.1:1' }), /--tls-cluster yes/);
});

test('client libraries and redraft status with a cluster of processes over TLS', async (t) => {
  const authority = new Authority(t);
  const ports = [await freePort(), await freePort(), await freePort()];
  for (const [i, port] of ports.entries()) {
    const join = i === 0 ? [] : ['--join', `${ports[0]}`];
    const flags = ['--tls-port', `${port}`, '--tls-cluster', 'yes', '--backend', 'memory', ...join];
    const { flags: files } = authority.issue(`node${i}`);
    const server = await SpawnedRedraft.start(0, ...flags, '--cluster-secret', clusterSecret, ...files);
    t.after(() => server.end('SIGKILL'));
  }
  const client = authority.issue('client');
  const cluster = new Redis.Cluster([{ host, port: ports[1] }], { redisOptions: { tls: client.context } });
  cluster.on('error', () => {});
  t.after(() => cluster.disconnect());
  assert.equal(await cluster.set('k', 'v'), 'OK');
  assert.equal(await cluster.get('k'), 'v');
  const single = createClient({
    url: `rediss://${host}:${ports[0]}`,
    socket: { tls: true, ...client.context },
  });
  single.on('error', () => {});
  t.after(() => single.destroy());
  await single.connect();
  assert.equal(await single.get('k'), 'v');
  const status = await new Promise<string>((resolve) => {
    const flags = ['--tls', ...client.flags, '--address', `${host}:${ports[2]}`];
    execFile(process.execPath, [programPath, 'status', ...flags], (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  assert.equal(status.match(/ ok$/gm)?.length, 3, status);
});

test('MIGRATE to a node that speaks TLS', async (t) => {
  const authority = new Authority(t);
  const start = async (name: string): Promise<Redraft> => {
    const redraft = await Redraft.start({ tls: { ...authority.issue(name).files, cluster: true } });
    t.after(() => redraft.stop());
    return redraft;
  };
  const [from, to] = [await start('from'), await start('to')];
  const redis = new Redis(from.url, { tls: authority.issue('client').context });
  t.after(() => redis.disconnect());
  redis.on('error', () => {});
  await redis.set('k', 'v');
  assert.equal(await redis.migrate(host, to.port, 'k', 0, 5000), 'OK');
  assert.equal(await redis.exists('k'), 0);
  assert.equal(await to.get('k'), 'v');
});
