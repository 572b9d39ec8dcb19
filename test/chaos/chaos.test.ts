/**
 * The harness is believed only because each of its parts can be seen to bite: cuts cut, and what is doctored
 * is found.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { until } from '../cluster/nodes.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import type { Operation } from '../linearizability/history.js';
import { Random } from '../sim/random.js';
import { checkDigests } from './cluster.js';
import { damageTail, findLooseTail } from './disk-faults.js';
import { drawFaults, faultWeights } from './faults.js';
import { JobLedger } from './jobs.js';
import { Journal } from './journal.js';
import { judge, judgeInThread } from './judge.js';
import { checkLedger, largeValue, nameOfLarge } from './ledger.js';
import { Links, NodeProxy, wayOf } from './proxy.js';

/** Two ends that speak through a proxy, the near one as node n1 or as a client, the far one as n2. */
async function ends(
  t: TestContext,
  greeting?: Buffer,
): Promise<{ links: Links; near: Socket; far: Socket; heard: (socket: Socket) => string }> {
  const links = new Links(new Random(1), (id) => (id === 1 ? 'n1' : undefined));
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const proxy = await NodeProxy.listen(links, 'n2', { host: '127.0.0.1', port }, 0);
  const near = connect(proxy.port, '127.0.0.1');
  await once(near, 'connect');
  links.nameClient(wayOf(near.localPort!, proxy.port), 'c1');
  const texts = new Map<Socket, string>();
  const listen = (socket: Socket): void => {
    texts.set(socket, '');
    socket.on('data', (bytes: Buffer) => texts.set(socket, texts.get(socket)! + bytes.toString('latin1')));
    socket.on('error', () => {});
  };
  listen(near);
  near.write(greeting ?? 'hello');
  const [far] = (await once(server, 'connection')) as [Socket];
  listen(far);
  t.after(async () => {
    near.destroy();
    far.destroy();
    await proxy.close();
    server.close();
  });
  await until('the first bytes come through', () => texts.get(far)!.length >= (greeting?.length ?? 5));
  texts.set(far, '');
  return { links, near, far, heard: (socket) => texts.get(socket)! };
}

/** Long enough for anything that comes through to have come. */
const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));

const greeting = encodeRequest(['RAFTPEER', '1', 'c', '1', '2', 'messages', 'n']);

test('a stalled link holds bytes back, one way only, until it is healed', async (t) => {
  const { links, near, far, heard } = await ends(t, greeting);
  const heal = links.block(['n1>n2'], 'stall');
  near.write('there');
  far.write('back');
  await until('the other way is open', () => heard(near) === 'back');
  await quiet();
  assert.equal(heard(far), '');
  heal();
  await until('what waited arrives', () => heard(far) === 'there');
});

test('a dropped link loses bytes, and the connection when it is healed', async (t) => {
  const { links, near, far, heard } = await ends(t, greeting);
  const heal = links.block(['n1>n2'], 'drop');
  near.write('lost');
  await quiet();
  assert.equal(far.destroyed, false);
  heal();
  await Promise.all([once(near, 'close'), once(far, 'close')]);
  assert.equal(heard(far), '');
});

test('a refused link breaks what stands; links of others stay', async (t) => {
  const { links, near, far, heard } = await ends(t);
  links.block(['n1>n2', 'c2>n2', 'n2>n1'], 'refuse');
  near.write('client');
  await until('a client is another link', () => heard(far) === 'client');
  links.block(['c1>n2'], 'refuse');
  await Promise.all([once(near, 'close'), once(far, 'close')]);
});

test('a client of another node that happens to have the same port takes nothing away', async (t) => {
  const { links, near, far, heard } = await ends(t);
  const way = wayOf(near.localPort!, near.remotePort!);
  assert.equal(links.hasReached(way), true);
  links.nameClient(wayOf(near.localPort!, 1), 'c2');
  links.forgetClient(wayOf(near.localPort!, 1));
  assert.equal(links.hasReached(way), true);
  assert.equal(links.nameOf({ way }), 'c1');
  near.write('on');
  await until('it goes on', () => heard(far) === 'on');
});

test('a slow link delays and keeps the order', async (t) => {
  const { links, near, far, heard } = await ends(t, greeting);
  links.slowDown(['n1>n2'], { delayMs: 80, jitterMs: 40, bytesPerSecond: undefined });
  const began = performance.now();
  for (let i = 0; i < 20; i++) near.write(`${i},`);
  await until('all is there', () => heard(far).endsWith('19,'));
  assert.ok(performance.now() - began >= 75);
  assert.equal(heard(far), Array.from({ length: 20 }, (_, i) => `${i},`).join(''));
});

test('a connection breaks in the middle of what it carries', async (t) => {
  const { links, near, far, heard } = await ends(t, greeting);
  links.breakMidByte(8);
  near.write('x'.repeat(1000));
  await Promise.all([once(near, 'close'), once(far, 'close')]);
  assert.ok(heard(far).length < 1000);
  assert.equal(links.resets, 1);
});

test('an end behind a cut link is not heard', async (t) => {
  const { links, near, far } = await ends(t, greeting);
  const heal = links.block(['n2>n1'], 'stall');
  far.destroy();
  await quiet();
  assert.equal(near.readableEnded, false);
  assert.equal(near.destroyed, false);
  heal();
  await once(near, 'close');
});

const operation = (commands: string[], output: Operation['output'], at: number): Operation => ({
  client: 'c1',
  commands: [commands],
  isTransaction: false,
  invokedAt: at,
  returnedAt: output === undefined ? Number.POSITIVE_INFINITY : at + 1,
  output,
});

test('a doctored history is found, a sound one is not', async () => {
  const sound = [
    operation(['SET', 'a', '1'], 'OK', 1),
    operation(['INCR', 'c'], undefined, 3),
    operation(['GET', 'a'], '1', 5),
  ];
  const ttl = {
    writes: [{ key: 'e', value: 'v', lifetimeMs: 1000, invokedAt: 1, returnedAt: 2 }],
    reads: [
      { key: 'e', value: 'v', ttlMs: 900, invokedAt: 100, returnedAt: 101 },
      { key: 'e', value: 'v', ttlMs: 800, invokedAt: 200, returnedAt: 201 },
    ],
  };
  const evidence = { histories: [sound], ttl: [ttl], skewMs: 25 };
  assert.deepEqual(await judgeInThread(evidence), { violation: undefined, undecided: [] });
  const lost = [...sound, operation(['GET', 'a'], null, 7)];
  assert.equal(
    (await judgeInThread({ ...evidence, histories: [sound, lost] })).violation?.check,
    'linearizability',
  );
  const longer = { ...ttl, reads: [ttl.reads[0]!, { ...ttl.reads[1]!, ttlMs: 950 }] };
  assert.equal(judge({ ...evidence, ttl: [longer] }).violation?.check, 'time to live');
});

test('a doctored digest is found', () => {
  const sound = new Journal(false);
  checkDigests(sound, 7, new Map([['aa', ['n1', 'n2', 'n3']]]));
  assert.equal(sound.violation, undefined);
  const doctored = new Journal(false);
  checkDigests(
    doctored,
    7,
    new Map([
      ['aa', ['n1', 'n2']],
      ['ab', ['n3']],
    ]),
  );
  assert.match(doctored.violation!.message, /index 7: n1 and n2 at aa, n3 at ab/);
});

test('a ledger that lost, doubled, made up or moved an entry is found', () => {
  const notes = {
    acknowledged: ['1', '2', '4'],
    unknown: new Set(['3']),
    increments: { acknowledged: 5, unknown: 1 },
  };
  assert.equal(checkLedger(notes, ['1', '2', '3', '4'], 6), undefined);
  assert.equal(checkLedger(notes, ['1', '2', '4'], 5), undefined);
  assert.match(checkLedger(notes, ['1', '4'], 5)!, /2 was acknowledged and is lost/);
  assert.match(checkLedger(notes, ['1', '2', '2', '4'], 5)!, /twice/);
  assert.match(checkLedger(notes, ['1', '2', '4', '9'], 5)!, /refused/);
  assert.match(checkLedger(notes, ['2', '1', '4'], 5)!, /stands where/);
  assert.match(checkLedger(notes, ['1', '2', '4'], 4)!, /counter is at 4/);
  assert.match(checkLedger(notes, ['1', '2', '4'], 7)!, /counter is at 7/);
});

test('a large value that was cut or mixed is no value of its name', () => {
  const value = largeValue('v7', 1000);
  assert.equal(nameOfLarge(value), 'v7');
  assert.throws(() => nameOfLarge(value.slice(0, -1)));
  assert.throws(() => nameOfLarge(`${value.slice(0, 500)}${largeValue('v8', 500)}`));
});

test('faults come from the seed alone, and all kinds come', () => {
  const draw = (seed: number): string => JSON.stringify(drawFaults(new Random(seed), 60_000, []));
  assert.equal(draw(5), draw(5));
  assert.notEqual(draw(5), draw(6));
  const kinds = new Set(
    Array.from({ length: 60 }, (_, seed) => drawFaults(new Random(seed), 60_000, []))
      .flat()
      .map((fault) => fault.kind),
  );
  assert.deepEqual([...kinds].sort(), Object.keys(faultWeights).sort());
});

test('a torn tail: what was acknowledged stays, what is damaged behind it is cut by the next start', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'redraft-torn-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const directory = join(root, 'data');
  const port = await freePort();
  const first = await SpawnedRedraft.start(port, '--dir', directory);
  const socket = connect(port, '127.0.0.1');
  for (let i = 0; i < 20; i++) {
    socket.write(encodeRequest(['RPUSH', 'l', `${i}`]));
    await once(socket, 'data');
  }
  await first.end('SIGKILL');
  // Nothing is loose as long as nobody says so: all of it was acknowledged.
  const none = await findLooseTail(directory, undefined);
  assert.equal(none!.entries, 0);
  assert.equal(none!.from, none!.end);
  // Had it been a follower that acknowledged nothing, what no later record calls durable would be loose.
  const all = await findLooseTail(directory, { term: 1, index: 0 });
  assert.ok(all!.entries > 0 && all!.entries < 20, `${all!.entries} entries`);
  for (let seed = 1; seed <= 4; seed++) {
    damageTail((await findLooseTail(directory, undefined))!, new Random(seed));
    const again = await SpawnedRedraft.start(port, '--dir', directory);
    const client = connect(port, '127.0.0.1');
    client.write(encodeRequest(['LLEN', 'l']));
    assert.equal(String(await once(client, 'data')), ':20\r\n');
    client.destroy();
    assert.match(again.output, /cut a torn tail/);
    await again.end('SIGKILL');
  }
  socket.destroy();
});

test('a stream of jobs that loses, repeats, invents or disorders one is found', () => {
  const fresh = (): JobLedger => {
    const jobs = new JobLedger();
    assert.equal(jobs.add('a', '1-0', 'x'), undefined);
    assert.equal(jobs.add('a', '2-0', 'y'), undefined);
    jobs.doubtful.add('z');
    return jobs;
  };
  const all = [['1-0', ['v', 'x']] as const, ['2-0', ['v', 'y']] as const, ['3-0', ['v', 'z']] as const];
  const jobs = fresh();
  assert.equal(jobs.give('c', all.slice(0, 2), 10), undefined);
  assert.equal(jobs.give('d', all.slice(2), 11), undefined);
  jobs.acknowledge(['1-0'], 20);
  // What was asked for before the acknowledgement came may still hold it.
  assert.equal(jobs.claim(all.slice(0, 1), 15), undefined);
  assert.equal(jobs.end(all, 0), undefined);
  assert.match(jobs.claim(all.slice(0, 1), 25)!, /acknowledged, and is delivered again/);
  assert.match(jobs.give('d', all.slice(1, 2), 12)!, /new to c and to d/);
  assert.match(jobs.add('a', '2-0', 'w')!, /given to two/);
  assert.match(jobs.add('a', '1-5', 'w')!, /behind 2-0/);
  assert.match(fresh().give('c', [all[1]!, all[0]!], 1)!, /given 1-0 behind 2-0/);
  assert.match(fresh().claim([['1-0', ['v', 'other']]], 1)!, /holds other/);
  assert.match(jobs.end(all, 1)!, /pending/);
  const read = fresh();
  read.claim(all, 1);
  assert.match(read.end(all.slice(1), 0)!, /1-0 was added and is lost/);
  assert.match(read.end([...all, ['4-0', ['v', 'stranger']]], 0)!, /4-0 was refused and is there/);
  assert.match(read.end([all[1]!, all[0]!], 0)!, /1-0 stands behind/);
  assert.match(fresh().end(all, 0)!, /1-0 was never delivered/);
});
