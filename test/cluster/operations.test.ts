import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type { WriteHandler } from '../../engine/command/command.js';
import { recover } from '../../src/cli/recover.js';
import { status } from '../../src/cli/status.js';
import { programPath } from '../program-path.js';
import { TestCluster, until } from './nodes.js';

interface Shown {
  readonly members: readonly {
    readonly address: string;
    readonly role: string;
    readonly lag: number | null;
    readonly health: string;
  }[];
}

const unasked = {
  requirepassFile: undefined,
  tls: false,
  tlsCertFile: '',
  tlsKeyFile: '',
  tlsKeyFilePass: '',
  tlsCaCertFile: '',
  tlsCaCertDir: '',
};

async function shown(port: number): Promise<{ code: number; shown: Shown; table: string }> {
  const options = {
    ...unasked,
    address: { host: '127.0.0.1', port },
    port: undefined,
    requirepass: undefined,
    watch: false,
  };
  let json = '';
  let table = '';
  const code = await status(
    { ...options, json: true },
    (text) => {
      json += text;
    },
    assert.fail,
  );
  await status(
    { ...options, json: false },
    (text) => {
      table += text;
    },
    assert.fail,
  );
  return { code, shown: JSON.parse(json) as Shown, table };
}

test('redraft status: every member with role, term, commit, lag and health, asked of any', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  const [dead, follower] = await cluster.followers();
  await until('all are well', async () => (await shown(follower.port)).code === 0);
  const well = await shown(follower.port);
  assert.deepEqual(well.shown.members.map(({ role }) => role).sort(), ['follower', 'follower', 'leader']);
  for (const { health, lag } of well.shown.members) assert.deepEqual([health, lag], ['ok', 0]);
  assert.match(well.table, /^node +address +role +term +commit +lag +health\n/);
  await dead.stop();
  const ill = await shown(follower.port);
  assert.equal(ill.code, 1);
  assert.match(ill.table, new RegExp(`${dead.address} +unknown +- +- +- +unreachable\n`));
  await leader.stop();
  await until('nobody leads', () => !follower.redraft.server.consensus.hasLeader);
  const alone = (await shown(follower.port)).shown.members;
  assert.equal(alone.find(({ address }) => address === follower.address)?.health, 'no leader');
});

test('redraft status tells the truth whatever password a member was started with, and right after a failover', async (t) => {
  const cluster = await TestCluster.start(t, 1, { password: 'one', clusterSecret: 'shared' });
  const two = await cluster.add({ password: 'two' });
  const [one] = cluster.nodes;
  await until('it votes', () => two.redraft.role === 'follower');
  const asked = async (port: number, requirepass: string): Promise<Shown['members']> => {
    let json = '';
    const print = (text: string): void => {
      json += text;
    };
    const options = {
      ...unasked,
      address: { host: '127.0.0.1', port },
      port,
      requirepass,
      json: true,
      watch: false,
    };
    assert.equal(await status(options, print, assert.fail), 0);
    return (JSON.parse(json) as Shown).members;
  };
  const summary = (members: Shown['members']): string[] =>
    members.map(({ address, role, health }) => `${address} ${role} ${health}`).sort();
  const expected = [`${one.address} leader ok`, `${two.address} follower ok`].sort();
  assert.deepEqual(summary(await asked(one.port, 'one')), expected);
  assert.deepEqual(summary(await asked(two.port, 'one')), expected);

  // A node without a password, asked with one.
  const open = await TestCluster.start(t, 3);
  const nodes = open.nodes;
  assert.equal((await asked(nodes[0].port, 'any')).length, 3);
  const leader = await open.leader();
  await leader.stop();
  const { shown: after } = await shown(open.running[0].port);
  assert.equal(after.members.filter(({ health }) => health === 'ok').length, 2);
  assert.equal(after.members.filter(({ health }) => health === 'unreachable').length, 1);
});

test('redraft recover: a cluster whose majority is lost for good comes back from one directory', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  const [survivor, lost] = await cluster.followers();
  await leader.ask('SET', 'a', '1');
  await until('it is everywhere', () => survivor.redraft.node.applied === leader.redraft.node.applied);
  const dir = survivor.options.dir!;
  // Not while it runs.
  let complaint = '';
  assert.equal(
    await recover(
      { dir, yes: true, skipEntry: undefined, json: false },
      () => {},
      (text) => {
        complaint += text;
      },
    ),
    1,
  );
  assert.match(complaint, /is in use by process/);
  for (const node of cluster.nodes) await node.stop();
  // It asks, and does nothing on any other answer.
  const asked = spawnSync(process.execPath, [programPath, 'recover', '--dir', dir], {
    input: 'no\n',
    encoding: 'utf8',
  });
  assert.equal(asked.status, 1, asked.stderr);
  assert.match(asked.stdout, /Type yes: [\s\S]*nothing was changed/);
  assert.ok(asked.stdout.includes(leader.address));
  let text = '';
  assert.equal(
    await recover(
      { dir, yes: true, skipEntry: undefined, json: false },
      (line) => {
        text += line;
      },
      assert.fail,
    ),
    0,
  );
  assert.match(text, /Recovered/);
  await survivor.start();
  assert.equal(await survivor.ask('GET', 'a'), '1');
  assert.equal(await survivor.ask('SET', 'a', '2'), 'OK');
  assert.deepEqual(await survivor.ask('RAFTPEERS'), [survivor.address]);
  // The others cannot come back and disagree; new nodes can.
  await assert.rejects(lost.start({ join: survivor.address }), /was removed from this cluster/);
  const fresh = await cluster.add({ join: survivor.address });
  assert.equal(((await fresh.ask('RAFTPEERS')) as string[]).length, 2);
  assert.equal(
    await recover(
      { dir: join(dir, 'nowhere'), yes: true, skipEntry: undefined, json: false },
      () => {},
      () => {},
    ),
    1,
  );
});

test('redraft recover --skip-entry: an entry that ends every node is taken out of all logs', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const leader = await cluster.leader();
  await leader.ask('SET', 'a', '1');
  // All nodes of this process share the row.
  const row = leader.redraft.server.engine.table.byText.get('append') as { handler: WriteHandler };
  const { handler } = row;
  t.after(() => {
    row.handler = handler;
  });
  row.handler = (request, database) => {
    database.deleteKey(request.view(1));
    throw new Error('broken behind a mutation');
  };
  void leader.ask('APPEND', 'a', 'poison').catch(() => {});
  await until('it has ended all', () => cluster.nodes.every(({ failure }) => failure !== undefined));
  const index = Number(/entry (\d+) could not be applied/.exec(leader.failure!.message)![1]);
  for (const node of cluster.nodes) await node.stop();
  await assert.rejects(leader.start(), new RegExp(`recover --skip-entry ${index}\\b.*broken behind`));

  const skip = async (dir: string, entry: number): Promise<{ code: number; text: string }> => {
    let text = '';
    const add = (line: string): void => {
      text += line;
    };
    return { code: await recover({ dir, yes: true, skipEntry: entry, json: false }, add, add), text };
  };
  const asked = spawnSync(
    process.execPath,
    [programPath, 'recover', '--skip-entry', `${index}`, '--dir', leader.options.dir!],
    { input: 'no\n', encoding: 'utf8' },
  );
  assert.equal(asked.status, 1, asked.stderr);
  assert.match(asked.stdout, /WARNING: [\s\S]*EVERY member[\s\S]*Type yes: [\s\S]*nothing was changed/);
  await assert.rejects(leader.start(), /broken behind/);
  assert.match((await skip(leader.options.dir!, index + 1000)).text, /the log ends at entry/);
  assert.match((await skip(leader.options.dir!, 1)).text, /membership|nothing already|snapshot/);

  const skipped = await Promise.all(cluster.nodes.map(({ options }) => skip(options.dir!, index)));
  assert.deepEqual(
    skipped.map(({ code }) => code),
    [0, 0, 0],
  );
  assert.equal(new Set(skipped.map(({ text }) => /SHA-1 (\w+)/.exec(text)![1])).size, 1);
  const again = await skip(leader.options.dir!, index);
  assert.equal(again.code, 0);
  assert.match(again.text, /changes nothing already \(skipped: \d+ bytes of SHA-1/);
  await Promise.all(cluster.nodes.map((node) => node.start()));
  const next = await cluster.leader();
  assert.equal(await next.ask('GET', 'a'), '1');
  assert.equal(await next.ask('SET', 'b', '2'), 'OK');
  await until('all are even', () =>
    cluster.nodes.every(({ redraft }) => redraft.node.applied === next.redraft.node.applied),
  );
  assert.equal(new Set(cluster.nodes.map(({ redraft }) => redraft.server.engine.digest())).size, 1);
});

test('a rolling restart of all three under load loses nothing', async (t) => {
  const cluster = await TestCluster.start(t, 3);
  const counts = { acknowledged: 0, unknown: 0 };
  let isDone = false;
  const load = (async () => {
    while (!isDone) {
      const leader = cluster.running.find((node) => node.isLeader);
      const reply = await leader?.ask('INCR', 'n').catch(() => 'lost');
      if (typeof reply === 'number') counts.acknowledged++;
      else if (reply === 'lost' || String(reply).startsWith('-UNKNOWN')) counts.unknown++;
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  for (const node of cluster.nodes) {
    const before = counts.acknowledged;
    await until('writes go through', () => counts.acknowledged > before + 20);
    if (node === (await cluster.leader())) assert.equal(await node.ask('RAFTTRANSFER'), 'OK');
    await node.stop();
    await node.start();
    const leader = await cluster.leader();
    await until(
      'it has caught up',
      () => node.redraft.node.applied >= leader.redraft.node.status().commit - 100,
    );
  }
  isDone = true;
  await load;
  const count = Number(await (await cluster.leader()).ask('GET', 'n'));
  assert.ok(
    count >= counts.acknowledged && count <= counts.acknowledged + counts.unknown,
    `${count}, ${JSON.stringify(counts)}`,
  );
  await cluster.assertEqual();
});
