/** Nodes of releases that know different behaviour levels in one cluster: they agree, whatever comes when. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Behaviour } from '../../engine/behaviour.js';
import { OK } from '../../engine/index.js';
import { nodeClock } from '../../raft/node/index.js';
import { LevelWatch } from '../../src/cluster/level-watch.js';
import { type Answer, asAnswer, asQuestion } from '../../src/cluster/peer-requests.js';
import { createLog } from '../../src/observability/log.js';
import type { ConsensusNode } from '../../src/replication/consensus.js';
import { changedAtLevel2 } from '../engine/changed-behaviour.js';
import { TestCluster, type TestNode, until } from './nodes.js';

const levelOf = (node: TestNode): number => node.redraft.server.engine.keyspace.behaviour.level;

async function upgrade(node: TestNode, behaviourLevel: number): Promise<void> {
  await node.stop();
  await node.start({ behaviourLevel });
}

test('the level rises when the last old member is gone, and no node parts from the others', async (t) => {
  changedAtLevel2(t);
  const lines: string[] = [];
  const log = createLog('notice', (line) => lines.push(line));
  const cluster = await TestCluster.start(t, 3, { behaviourLevel: 1, log });
  const append = async (text: string): Promise<unknown> => {
    const leader = await cluster.leader();
    await leader.ask('APPEND', 'k', text);
    return leader.ask('GET', 'k');
  };
  assert.equal(await append('a'), 'a');
  const [first, second, last] = cluster.nodes as [TestNode, TestNode, TestNode];
  await upgrade(first, 2);
  await upgrade(second, 2);
  const leader = await cluster.leader();
  if (leader === last) await leader.ask('RAFTTRANSFER', first.address);
  await until('a new leader waits for the old member', () =>
    lines.join('').includes(`behaviour level 2 waits for the upgrade of ${last.address}`),
  );
  assert.equal(await append('b'), 'ab');
  assert.deepEqual(cluster.nodes.map(levelOf), [1, 1, 1]);
  await cluster.assertEqual();

  await upgrade(last, 2);
  await until('all are at the new level', () => cluster.nodes.every((node) => levelOf(node) === 2));
  assert.equal(await append('c'), 'abcc');
  await cluster.assertEqual();
  const { port } = await cluster.leader();
  assert.match(
    `${await (await cluster.leader()).ask('INFO', 'raft')}`,
    /raft_behaviour_level:2\r\nraft_behaviour_known:2/,
    `${port}`,
  );
  const stats = (await first.ask('RAFTSTATS')) as string[];
  assert.equal(stats[stats.indexOf('behaviour_level') + 1], '2');

  await t.test('it outlives snapshots and restarts', async () => {
    const [follower] = await cluster.followers();
    await (await cluster.leader()).ask('RAFTSNAPSHOT');
    await upgrade(follower!, 2);
    assert.equal(levelOf(follower!), 2);
    await cluster.assertEqual();
  });

  await t.test('who does not know it is not let in', async () => {
    await assert.rejects(
      cluster.add({ behaviourLevel: 1 }),
      /the cluster refuses this node: behaviour level 2 is in force, and this release knows levels up to 1: use/,
    );
    assert.equal((await cluster.leader()).redraft.server.consensus.members.length, 3);
  });

  await t.test('a member that knows it no more does not start, and keeps its directory', async () => {
    const [follower] = await cluster.followers();
    await follower!.stop();
    await assert.rejects(follower!.start({ behaviourLevel: 1 }), /behaviour level 2 is in force/);
    await follower!.start({ behaviourLevel: 2 });
    await cluster.assertEqual();
  });
});

test('a member that does not know a level when it comes stops at the entry', async (t) => {
  const cluster = await TestCluster.start(t, 1, { behaviourLevel: 1 });
  const leader = await cluster.leader();
  const { server } = leader.redraft;
  // As if it had gone back to the old release since it was asked.
  const outcome = server.proposeItem(4, (builder) => builder.raiseLevel(server.session, 2));
  outcome.catch(() => {});
  await until('it has stopped', () => leader.failure !== undefined);
  assert.match(
    leader.failure!.message,
    /^behaviour level 2 is in force, and this release knows levels up to 1/,
  );
});

interface Asked {
  readonly watch: LevelWatch;
  readonly raised: number[];
  tick(): Promise<void>;
}

function watching(
  t: TestContext,
  answers: readonly (Answer | Error | undefined)[],
  { known = 3, isLeader = true } = {},
): Asked {
  const behaviour = new Behaviour(known);
  const raised: number[] = [];
  const members = answers.map((_, id) => ({ id, address: `host:${id}`, learner: id > 2 }));
  let asked = 0;
  let nowMs = 0;
  const watch = new LevelWatch({
    consensus: { members, isLeader } as unknown as ConsensusNode,
    nodeId: 0,
    clock: { ...nodeClock, monotonicMs: () => nowMs },
    log: createLog('quiet', () => {}),
    behaviour: () => behaviour,
    raiseLevel: async (level) => {
      raised.push(level);
      behaviour.raise(level);
      return OK;
    },
    ask: async (address, question) => {
      asked++;
      assert.equal(asQuestion(question).kind, 'who');
      const answer = answers[Number(address.slice(5))];
      if (answer instanceof Error) throw answer;
      return asAnswer(answer);
    },
  });
  t.after(() => assert.ok(asked <= 100));
  return {
    watch,
    raised,
    tick: async () => {
      nowMs += 2000;
      watch.tick();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('a leader raises the level to what all members know, learners too, and asks no more', async (t) => {
  const knows = (level: number): Answer => ({ kind: 'done', level });
  for (const [answers, expected, options] of [
    [[undefined], [3]],
    [[undefined, knows(3), knows(4)], [3]],
    [[undefined, knows(3), knows(2)], [2]],
    [[undefined, knows(3), { kind: 'done' }], []],
    [[undefined, knows(3), knows(3), knows(1)], []],
    [[undefined, knows(3), new Error('it does not answer')], []],
    [[undefined, knows(3), { kind: 'done', level: 'x' } as unknown as Answer], []],
    [[undefined, knows(3), { kind: 'done', level: 1e300 } as unknown as Answer], []],
    [[undefined, knows(3), { kind: 'refused', reason: '' }], []],
    [[undefined, knows(3)], [], { isLeader: false }],
    [[undefined, knows(3)], [], { known: 1 }],
  ] as [(Answer | undefined)[], number[], { known?: number; isLeader?: boolean }?][]) {
    const { raised, tick } = watching(t, answers, options);
    for (let i = 0; i < 3; i++) await tick();
    assert.deepEqual(raised, expected, JSON.stringify(answers));
  }
});
