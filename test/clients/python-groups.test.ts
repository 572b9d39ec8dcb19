/**
 * redis-py's consumer groups on three nodes while the leader ends: a producer, a consumer that keeps a part
 * of what it is given, and another that claims it. The program itself sees that nothing acknowledged comes
 * again, nothing is lost, and ids rise.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCluster, until } from '../cluster/nodes.js';
import { isInstalled, LineProgram, PYTHON } from './lines.js';

const program = `
import re, redis, sys, threading, time
client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
has_failed_over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), has_failed_over.set()), daemon=True).start()

def insist(ask):
    deadline = time.monotonic() + 30
    while True:
        try:
            return ask()
        except redis.RedisError as error:
            if time.monotonic() > deadline or not re.search('UNKNOWN|CLUSTERDOWN|TRY|UNBLOCKED|onnection', str(error)):
                raise
            time.sleep(0.02)

def key(id):
    return tuple(int(half) for half in id.split('-'))

added, acknowledged, given = [], set(), []

def add(n):
    newest = client.xrevrange('jobs', count=1)
    if newest and newest[0][1]['n'] == str(n):
        return newest[0][0]
    return client.xadd('jobs', {'n': n})

def acknowledge(ids):
    if ids:
        insist(lambda: client.xack('jobs', 'workers', *ids))
        acknowledged.update(ids)

def read(count):
    # Of an answer that was lost nobody has seen the entries: they are claimed later.
    reply = insist(lambda: client.xreadgroup('workers', 'one', {'jobs': '>'}, count=count, block=20))
    ids = [id for id, _ in (reply[0][1] if reply else [])]
    for id in ids:
        assert id not in acknowledged, f'{id} was acknowledged, and comes again'
        assert not given or key(given[-1]) < key(id), f'{id} behind {given[-1]}'
        given.append(id)
    return ids

def claim():
    claimed = insist(lambda: client.xautoclaim('jobs', 'workers', 'two', min_idle_time=0, count=100))
    ids = [id for id, _ in claimed[1]]
    for id in ids:
        assert id not in acknowledged, f'{id} was acknowledged, and is claimed'
    acknowledge(ids)

insist(lambda: client.xgroup_create('jobs', 'workers', id='0', mkstream=True))
after = 0
while after < 30:
    if has_failed_over.is_set():
        after += 1
    added.append(insist(lambda: add(len(added))))
    ids = read(3)
    acknowledge(ids[:1])
    if len(added) % 10 == 0:
        claim()
    if len(added) == 30:
        print('half', flush=True)
while read(100):
    pass
claim()
assert insist(lambda: client.xpending('jobs', 'workers'))['pending'] == 0
assert added == sorted(set(added), key=key), 'ids rise across the change of leader'
assert acknowledged == set(added), 'nothing is lost, nothing comes that was not added'
print('done', flush=True)
`;

test('consumer groups of redis-py survive the leader', { timeout: 60_000 }, async (t) => {
  if (!isInstalled(t, [PYTHON, '-c', 'import redis'], 'python3-redis')) return;
  const cluster = await TestCluster.start(t, 3, { follower: 'forward', durability: 'high' });
  const leader = await cluster.leader();
  const [follower] = await cluster.followers();
  const python = new LineProgram(t, PYTHON, '-c', program, `${follower.port}`);
  await until('it is at work', () => python.lines.includes('half') || python.errors !== '');
  await leader.stop();
  await cluster.leader();
  python.say('the leader is another');
  assert.equal(await python.ended, 0, python.errors);
  assert.deepEqual(python.lines, ['half', 'done']);
  await leader.start();
  await until('all nodes are there', () => cluster.running.length === 3);
  await cluster.assertEqual();
});
