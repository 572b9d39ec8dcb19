/** `--http`: health, metrics and what the status page shows, of one node and of three. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpDoor } from '../../src/http/http-door.js';
import { metricTable } from '../../src/http/metric-table.js';
import { unreadiness } from '../../src/http/readiness.js';
import type { StatusReport } from '../../src/http/status-report.js';
import { Redraft } from '../../src/index.js';
import { createLog } from '../../src/observability/log.js';
import { RespClient } from '../../src/resp/client.js';
import { parseMetrics } from './scrape.js';

const page = '<!doctype html><style>p {}</style><script>1;</script>';
const options = {
  host: '127.0.0.1',
  port: 0,
  token: undefined,
  tls: undefined,
  page,
  log: createLog('quiet', () => {}),
};
const opened: HttpDoor[] = [];
after(() => {
  for (const door of opened) door.close();
});

async function open(more: Partial<Parameters<typeof HttpDoor.open>[0]> = {}): Promise<[HttpDoor, string]> {
  const door = await HttpDoor.open({ ...options, ...more });
  opened.push(door);
  return [door, `http://127.0.0.1:${door.port}`];
}

const statusOf = async (url: string, init?: RequestInit): Promise<number> => {
  const response = await fetch(url, init);
  await response.text();
  return response.status;
};

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, what);
    await delay(20);
  }
}

test('before there is a node, it lives and is not ready', async () => {
  const [door, url] = await open();
  door.starting('recovering: replay 12%');
  assert.equal(await statusOf(`${url}/healthz`), 200);
  const ready = await fetch(`${url}/readyz`);
  assert.deepEqual([ready.status, await ready.text()], [503, 'recovering: replay 12%\n']);
  assert.equal(await statusOf(`${url}/api/status`), 503);
  const metrics = parseMetrics(await (await fetch(`${url}/metrics`)).text());
  assert.ok(metrics.get('process_resident_memory_bytes')! > 0);
});

test('it only reads, and only what there is', async () => {
  const [, url] = await open();
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const response = await fetch(`${url}/metrics`, { method });
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, HEAD'], method);
  }
  for (const path of ['/nothing', '/api', '/metrics/', '/../package.json', '/__proto__', '//'])
    assert.equal(await statusOf(url + path), 404, path);
  const head = await fetch(`${url}/`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-length')], [200, `${page.length}`]);
});

test('headers beyond the limit, and what is no HTTP, end the connection', async () => {
  const [, url] = await open();
  const header = { cookie: 'a'.repeat(20_000) };
  await assert.rejects(fetch(`${url}/healthz`, { headers: header }));
  assert.equal(await statusOf(`${url}/healthz`), 200);
});

test('connections that are held do not keep others out', async () => {
  const [door, url] = await open();
  const agent = new Agent({ keepAlive: true, maxSockets: 150 });
  const hold = (): Promise<void> =>
    new Promise((resolve) => {
      request({ port: door.port, path: '/healthz', agent }, (response) => {
        response.resume().on('end', resolve);
      })
        .on('error', () => resolve())
        .end();
    });
  await Promise.all(Array.from({ length: 120 }, hold));
  await until('somebody else is answered', () =>
    statusOf(`${url}/healthz`).then(
      (status) => status === 200,
      () => false,
    ),
  );
  agent.destroy();
});

test('the page runs nothing but itself', async () => {
  const [, url] = await open();
  const response = await fetch(`${url}/`);
  assert.equal(await response.text(), page);
  const policy = response.headers.get('content-security-policy')!;
  // Of `1;` and `p {}`.
  assert.match(policy, /script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}=';/);
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
});

test('a token guards everything but health and the empty page', async () => {
  const [, url] = await open({ token: 'se cret'.replace(' ', '-') });
  const ask = (path: string, authorization?: string): Promise<number> =>
    statusOf(url + path, authorization === undefined ? {} : { headers: { authorization } });
  for (const path of ['/metrics', '/api/status', '/api/keyspace']) {
    assert.equal(await ask(path), 401);
    for (const wrong of ['Bearer', 'Bearer wrong', 'Basic se-cret', 'Bearer se-cret2', 'se-cret'])
      assert.equal(await ask(path, wrong), 401, wrong);
    assert.equal(await ask(path, 'Bearer se-cret'), path === '/metrics' ? 200 : 503);
  }
  for (const path of ['/', '/healthz']) assert.equal(await ask(path), 200);
});

test('without a token a name of somebody else is turned away on this machine', async () => {
  const [door] = await open();
  const ask = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = request({ port: door.port, path: '/metrics', headers: { host } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      asked.on('error', reject).end();
    });
  for (const host of ['localhost:1', '127.0.0.1', '[::1]:9121']) assert.equal(await ask(host), 200, host);
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80'])
    assert.equal(await ask(host), 403, host);
});

test('one node: every metric, as INFO has it', async () => {
  await using redraft = await Redraft.start({ configuration: { 'slowlog-log-slower-than': '0' } });
  const [door, url] = await open();
  door.show(redraft.server);
  const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  for (let i = 0; i < 40; i++) await client.call('SET', `k${i}`, 'v');
  await client.call('LPUSH', 'list', ...Array.from({ length: 200 }, (_, i) => `element ${i}`));
  await client.call('GET', 'none');
  await client.call('LPUSH', 'k1', 'v');
  await client.call('NO\nSUCH "command"');
  await until('the clock is judged', () => redraft.cluster.clock !== 'unknown');
  const text = await (await fetch(`${url}/metrics`)).text();
  const metrics = parseMetrics(text);
  const names = new Set(
    [...metrics.keys()].map((series) => series.replace(/\{.*|_bucket.*|_sum$|_count$/, '')),
  );
  // Of a node without peers, a disk, TLS or a snapshot.
  const absent = new Set(
    ['raft_peer_', 'raft_digest', 'disk_', 'tls_', 'snapshot_last_duration'].map((part) => `redraft_${part}`),
  );
  for (const { name } of metricTable)
    assert.equal(
      names.has(name.replace(/_count$/, '')),
      ![...absent].some((prefix) => name.startsWith(prefix)),
      name,
    );
  assert.equal(metrics.get('redraft_commands_total{command="set"}'), 40);
  assert.equal(metrics.get('redraft_commands_failed_total{command="lpush"}'), 1);
  assert.equal(metrics.get('redraft_keys{db="0"}'), 41);
  assert.equal(metrics.get('redraft_keyspace_misses_total'), 1);
  assert.equal(metrics.get('redraft_errors_total{code="WRONGTYPE"}'), 1);
  assert.equal(metrics.get('redraft_clients_connected'), 1);
  assert.equal(metrics.get('redraft_ready'), 1);
  assert.equal(metrics.get('redraft_raft_is_leader'), 1);
  // Buckets are cumulative and end at the count.
  const buckets = [...metrics].filter(([series]) => series.startsWith('redraft_raft_commit_seconds_bucket'));
  assert.ok(buckets.length > 20);
  buckets.reduce((below, [series, count]) => {
    assert.ok(count >= below, series);
    return count;
  }, 0);
  const commits = metrics.get('redraft_raft_commit_seconds_count')!;
  assert.ok(commits >= 42);
  assert.equal(metrics.get('redraft_raft_commit_seconds_bucket{le="+Inf"}'), commits);
  const sum = metrics.get('redraft_raft_commit_seconds_sum')!;
  assert.ok(sum > 0 && sum < 10, `${sum}`);
  // What only grows never shrinks.
  await client.call('SET', 'k', 'v');
  const later = parseMetrics(await (await fetch(`${url}/metrics`)).text());
  for (const [series, value] of metrics)
    if (/^redraft_\w+_(total|bucket|count|sum)\b/.test(series))
      assert.ok(later.get(series)! >= value, series);

  const report = (await (await fetch(`${url}/api/status`)).json()) as StatusReport;
  assert.equal(report.node.role, 'leader');
  assert.deepEqual(
    report.members.map(({ role, isSelf, lag }) => [role, isSelf, lag]),
    [['leader', true, 0]],
  );
  assert.equal(report.load.keys, 42);
  assert.equal(report.clients.length, 1);
  assert.equal(report.clients[0]!.command, 'set');
  assert.ok(report.slow.some(({ command }) => command.startsWith('LPUSH list element')));
  const survey = (await (await fetch(`${url}/api/keyspace`)).json()) as {
    keys: number;
    types: { type: string; keys: number }[];
    largest: { key: string; type: string; database: number }[];
  };
  assert.equal(survey.keys, 42);
  assert.deepEqual(
    survey.types.map(({ type, keys }) => [type, keys]),
    [
      ['list', 1],
      ['string', 41],
    ],
  );
  assert.deepEqual([survey.largest[0]!.key, survey.largest[0]!.type], ['list', 'list']);
  await until('the history has begun', async () => {
    const { history } = (await (await fetch(`${url}/api/status`)).json()) as StatusReport;
    return history.length > 0;
  });
  await client.close();
  door.closing();
  assert.equal(await statusOf(`${url}/readyz`), 503);
});

test('three nodes: roles, lag, and who is ready', async () => {
  await using cluster = await Redraft.cluster(3);
  const nodes = [0, 1, 2].map((i) => cluster.nodes[i]!);
  const doors = await Promise.all(nodes.map(() => open()));
  doors.forEach(([door], i) => {
    door.show(nodes[i]!.server);
  });
  await until('all are ready', () => nodes.every(({ server }) => unreadiness(server).length === 0));
  const leader = nodes.findIndex(({ role }) => role === 'leader');
  const [, url] = doors[leader]!;
  const metrics = parseMetrics(await (await fetch(`${url}/metrics`)).text());
  assert.equal(
    [...metrics.keys()].filter((series) => series.startsWith('redraft_raft_peer_healthy')).length,
    2,
  );
  assert.equal(metrics.get('redraft_raft_members{vote="voter"}'), 3);
  assert.equal(metrics.get('redraft_raft_quorum_held'), 1);
  const follower = (leader + 1) % 3;
  const reportOf = async (i: number): Promise<StatusReport> =>
    (await (await fetch(`${doors[i]![1]}/api/status`)).json()) as StatusReport;
  // A follower, too, knows how all stand: it asks them.
  const { members } = await reportOf(follower);
  assert.deepEqual(members.map(({ role }) => role).sort(), ['follower', 'follower', 'leader']);
  assert.ok(members.every(({ isReached, term }) => isReached && term! > 0));
  assert.deepEqual(members.filter(({ isSelf }) => isSelf).length, 1);

  // The others are cut off: the leader has no majority, and says so; they have none either.
  cluster.partition([[leader], [follower], [3 - leader - follower]]);
  await until('nobody is ready', () => nodes.every(({ server }) => unreadiness(server).length > 0));
  assert.equal(await statusOf(`${url}/readyz`), 503);
  assert.equal(await statusOf(`${url}/healthz`), 200);
  cluster.heal();
  await until('all are ready again', () => nodes.every(({ server }) => unreadiness(server).length === 0));
});
