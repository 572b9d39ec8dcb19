/**
 * Nodes with a port for TLS beside the plain one: who is told by CLUSTER, SENTINEL or an error where another
 * node is, is told the port of its own kind.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster } from 'ioredis';
import { RespClient } from '../../src/resp/client.js';
import { plain, TestCluster, type TestNode, until } from '../cluster/nodes.js';
import { Authority, withoutOpenssl } from './certificates.js';

const host = '127.0.0.1';

type Place = [host: string, port: number, ...rest: unknown[]];

for (const isOfCluster of [false, true])
  test(
    `clients are told the port of their kind (tls-cluster ${isOfCluster ? 'yes' : 'no'})`,
    {
      skip: withoutOpenssl,
    },
    async (t) => {
      const authority = new Authority(t);
      const issued = authority.issue('node');
      const cluster = await TestCluster.start(t, 3, {
        follower: 'moved',
        clusterSecret: 'open sesame',
        port: 0,
        tls: { ...issued.files, port: 0, cluster: isOfCluster },
      });
      const open = async (
        node: TestNode,
        overTls: boolean,
      ): Promise<(...args: string[]) => Promise<unknown>> => {
        const { port, tlsPort } = node.redraft;
        const plainPort = port === tlsPort ? node.redraft.server.tls!.plainPort! : port;
        const client = await RespClient.connect(
          overTls ? { host, port: tlsPort!, tls: issued.context } : { host, port: plainPort },
        );
        t.after(() => client.close());
        return async (...args) => plain(await client.call(...args));
      };
      const portOf = (node: TestNode, overTls: boolean): number =>
        overTls ? node.redraft.tlsPort! : (node.redraft.server.tls!.plainPort ?? 0);
      const leader = await cluster.leader();
      const [follower] = await cluster.followers();
      for (const overTls of [false, true]) {
        const ask = await open(follower, overTls);
        const leaderPort = portOf(leader, overTls);
        const ports = cluster.nodes.map((node) => portOf(node, overTls)).sort();
        await until('all are known', async () => {
          const [[, , ...places]] = (await ask('CLUSTER', 'SLOTS')) as [[number, number, ...Place[]]];
          return `${places.map(([, port]) => port).sort()}` === `${ports}`;
        });
        const [[, , [, masterPort]]] = (await ask('CLUSTER', 'SLOTS')) as [[number, number, Place]];
        assert.equal(masterPort, leaderPort);
        const lines = (await ask('CLUSTER', 'NODES')) as string;
        for (const port of ports) assert.match(lines, new RegExp(` ${host}:${port}@`));
        assert.deepEqual(await ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'), [
          host,
          `${leaderPort}`,
        ]);
        for (const kind of ['MASTERS', 'REPLICAS', 'SENTINELS']) {
          const entries = (await ask(
            'SENTINEL',
            kind,
            ...(kind === 'MASTERS' ? [] : ['mymaster']),
          )) as string[][];
          for (const entry of entries) assert.ok(ports.includes(Number(entry[5])), kind);
        }
        assert.equal(await ask('SET', 'foo', 'x'), `-MOVED 12182 ${host}:${leaderPort}`);
        assert.equal(await ask('MULTI'), 'OK');
        assert.equal(await ask('SET', 'foo', 'x'), `-MOVED 12182 ${host}:${leaderPort}`);
        assert.match(String(await ask('EXEC')), /^-EXECABORT/);
        assert.deepEqual(((await ask('ROLE')) as unknown[]).slice(0, 3), ['slave', host, leaderPort]);
        // Both, as later releases of Redis have it.
        const [shard] = (await ask('CLUSTER', 'SHARDS')) as [unknown[]];
        for (const entry of shard[3] as unknown[][]) {
          const node = cluster.nodes.find((one) => portOf(one, true) === entry[5])!;
          assert.deepEqual(entry.slice(2, 6), ['port', portOf(node, false), 'tls-port', portOf(node, true)]);
        }
      }

      const { context } = issued;
      const redis = new Cluster([{ host, port: portOf(follower, true) }], {
        redisOptions: { tls: { ...context, checkServerIdentity: () => undefined } },
      });
      t.after(() => redis.disconnect());
      assert.equal(await redis.set('foo', 'bar'), 'OK');
      assert.equal(await redis.get('foo'), 'bar');

      // What is announced goes before what is open, for each kind.
      const asks = [await open(leader, false), await open(leader, true)];
      const announced = async (...settings: string[]): Promise<unknown[]> => {
        assert.equal(await asks[0]('CONFIG', 'SET', ...settings), 'OK');
        return Promise.all(asks.map((ask) => ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster')));
      };
      const ports = [`${portOf(leader, false)}`, `${portOf(leader, true)}`];
      const name = 'redis.example.org';
      assert.deepEqual(
        await announced('cluster-announce-hostname', name),
        ports.map((port) => [name, port]),
      );
      assert.deepEqual(
        await announced('cluster-announce-port', '7000', 'cluster-announce-tls-port', '7001'),
        [
          [name, '7000'],
          [name, '7001'],
        ],
      );
      const other = [await open(follower, false), await open(follower, true)];
      for (const [i, ask] of other.entries())
        await until(
          'the follower has heard',
          async () => (await ask('SET', 'foo', 'x')) === `-MOVED 12182 ${name}:700${i}`,
        );
    },
  );

test('a node with a port for TLS alone names no other', { skip: withoutOpenssl }, async (t) => {
  const issued = new Authority(t).issue('node');
  const cluster = await TestCluster.start(t, 1, { follower: 'moved', tls: issued.files });
  const [node] = cluster.nodes;
  const nodes = async (): Promise<unknown[]> =>
    (((await node.ask('CLUSTER', 'SHARDS')) as unknown[][])[0][3] as unknown[][])[0].slice(2, 6);
  assert.deepEqual(await nodes(), ['tls-port', node.port, 'ip', host]);
  // Either name says it where there is one port; the one of its kind goes first.
  for (const [name, port] of [
    ['cluster-announce-port', 7000],
    ['cluster-announce-tls-port', 7001],
  ] as const) {
    assert.equal(await node.ask('CONFIG', 'SET', name, `${port}`), 'OK');
    assert.deepEqual(await nodes(), ['tls-port', port, 'ip', host]);
  }
});
