/**
 * Pub/sub and MONITOR as redis-cli shows them and redis-py hears them: on one node, and on three of which the
 * leader ends.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { TestCluster, type TestNode, until } from '../cluster/nodes.js';
import { isInstalled, LineProgram, PYTHON } from './lines.js';

const hearing = `
import redis, sys
client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
listener = client.pubsub()
listener.subscribe('news')
listener.psubscribe('new*')
for message in listener.listen():
    print(message['type'], message['channel'], message['data'], flush=True)
`;

/** One program at a node: how it is known to listen, and what it has heard. */
interface Listener {
  readonly node: TestNode;
  readonly name: string;
  isReady(): boolean;
  heard(): readonly string[];
}

/** Texts of messages, each the third line behind one of a kind. */
function textsBehind(lines: readonly string[], kind: 'message' | 'pmessage'): string[] {
  const distance = kind === 'message' ? 2 : 3;
  return lines.flatMap((line, i) =>
    line === kind && i + distance < lines.length ? [lines[i + distance]] : [],
  );
}

function listenersAt(t: TestContext, node: TestNode, hasPython: boolean): Listener[] {
  const port = `${node.port}`;
  const cli = (...words: string[]): LineProgram => new LineProgram(t, 'redis-cli', '-p', port, ...words);
  const subscribed = cli('subscribe', 'news');
  const byPattern = cli('psubscribe', 'new*');
  const monitor = cli('monitor');
  const listeners: Listener[] = [
    {
      node,
      name: 'redis-cli subscribe',
      isReady: () => subscribed.lines.includes('subscribe'),
      heard: () => textsBehind(subscribed.lines, 'message'),
    },
    {
      node,
      name: 'redis-cli psubscribe',
      isReady: () => byPattern.lines.includes('psubscribe'),
      heard: () => textsBehind(byPattern.lines, 'pmessage'),
    },
    {
      node,
      name: 'redis-cli monitor',
      isReady: () => monitor.lines.includes('OK'),
      // What the clients of its own node ask.
      heard: () =>
        monitor.lines.flatMap(
          (line) => /^\d+\.\d{6} \[0 [\d.:]+\] "PUBLISH" "news" "(.*)"$/.exec(line)?.[1] ?? [],
        ),
    },
  ];
  if (!hasPython) return listeners;
  const python = new LineProgram(t, PYTHON, '-c', hearing, port);
  for (const [name, kind] of [
    ['redis-py subscribe', 'message'],
    ['redis-py psubscribe', 'pmessage'],
  ])
    listeners.push({
      node,
      name,
      isReady: () => python.lines.filter((line) => line.includes('subscribe ')).length === 2,
      heard: () =>
        python.lines.filter((line) => line.startsWith(`${kind} news `)).map((line) => line.split(' ')[2]),
    });
  return listeners;
}

const MESSAGES = 40;

/** Publishes, and waits until everybody has heard it all, in the order of the first. */
async function checkHeard(
  listeners: readonly Listener[],
  publishAt: TestNode,
  said: string[],
): Promise<void> {
  for (let i = 0; i < MESSAGES; i++) {
    const text = `text-${said.length}`;
    const reply = await publishAt.ask('PUBLISH', 'news', text);
    assert.equal(typeof reply, 'number', `${reply}`);
    said.push(text);
  }
  for (const { node, name, heard } of listeners) {
    if (name === 'redis-cli monitor' && node !== publishAt) continue;
    const expected = name === 'redis-cli monitor' ? said.slice(-MESSAGES) : said;
    await until(`${name} has heard it`, () => heard().length >= expected.length);
    assert.deepEqual(heard(), expected, name);
  }
}

async function started(t: TestContext, nodes: readonly TestNode[]): Promise<Listener[] | undefined> {
  if (!isInstalled(t, ['redis-cli', '--version'], 'redis-tools')) return undefined;
  const hasPython = isInstalled(t, [PYTHON, '-c', 'import redis'], 'python3-redis');
  const listeners = nodes.flatMap((node) => listenersAt(t, node, hasPython));
  for (const { name, isReady } of listeners) await until(`${name} listens`, isReady);
  return listeners;
}

test('one node', async (t) => {
  const cluster = await TestCluster.start(t, 1);
  const listeners = await started(t, cluster.nodes);
  if (listeners !== undefined) await checkHeard(listeners, cluster.nodes[0], []);
});

test('three nodes: who listens at those that are left goes on when the leader ends', async (t) => {
  const cluster = await TestCluster.start(t, 3, { follower: 'forward' });
  const listeners = await started(t, cluster.nodes);
  if (listeners === undefined) return;
  const leader = await cluster.leader();
  const said: string[] = [];
  await checkHeard(listeners, leader, said);
  await leader.stop();
  const next = await cluster.leader();
  const left = listeners.filter(({ node }) => node !== leader);
  await checkHeard(left, next, said);
});
