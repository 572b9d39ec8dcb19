/**
 * Clients that wait, as entries apply. Each scenario is a script: `client COMMAND ... => its reply, then who
 * was woken with what`; "..." stands for no reply yet. The expectations are what redis-server 7.0.15 answers
 * to the same clients.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ApplyListener, Engine, EntryBuilder, Restore, toJavaScript } from '../../engine/index.js';
import { BLOCKED, ErrorReply, type Reply } from '../../engine/protocol/reply.js';

const NODE = 1;
const START = 7;
const START_MS = 1_000_000;

const session = (client: string) => ({ nodeId: NODE, startId: START, counter: Number(client.slice(1)) });

const encode = (words: readonly string[]): Buffer =>
  Buffer.from(
    `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`,
    'latin1',
  );

const show = (reply: Reply): string =>
  reply instanceof ErrorReply ? `!${reply.text}` : JSON.stringify(toJavaScript(reply));

/** Applies one item at a time and says what came of it. */
class Scene {
  engine = new Engine();
  private nowMs = START_MS;
  private index = 0;
  private readonly databases = new Map<string, number>();

  /** Applies the items that `fill` adds; returns their replies and the wakes, in order. */
  apply(fill: (builder: EntryBuilder) => void): string {
    const builder = new EntryBuilder(NODE, START);
    fill(builder);
    const replies: string[] = new Array(builder.itemCount).fill('...');
    const wakes: string[] = [];
    const listener: ApplyListener = {
      reply(ordinal, reply) {
        assert.notEqual(reply, BLOCKED);
        replies[ordinal] = show(reply);
      },
      wake({ counter }, reply) {
        wakes.push(`c${counter} ${show(reply)}`);
      },
      publish: () => 0,
      runProgramCommand: () => null,
    };
    this.engine.apply(++this.index, builder.finish(this.nowMs, 1, 2), listener);
    return [...replies, ...wakes].join(', ');
  }

  run(line: string): string {
    const [client, ...words] = line.split(' ');
    const database = this.databases.get(client) ?? 0;
    switch (words[0]) {
      case 'SELECT':
        this.databases.set(client, Number(words[1]));
        return '"OK"';
      case 'EXEC': {
        const requests = words.slice(1).join(' ').split(' ; ');
        return this.apply((b) =>
          b.exec(
            session(client),
            database,
            [],
            requests.map((r) => encode(r.split(' '))),
          ),
        );
      }
      case 'wait':
        this.nowMs += Number(words[1]);
        return this.apply(() => {});
      case 'leave':
        return this.apply((b) => b.forget(session(client)));
      case 'unblock':
        return this.apply((b) => b.unblock(session(words[1]), words[2] === 'ERROR'));
      default: {
        const request = encode(words);
        return this.apply((b) => b.command(session(client), database, request, 0, request.length));
      }
    }
  }

  /** Goes on with an engine restored from a snapshot of this one. */
  restart(): void {
    const digest = this.engine.digest();
    const cut = this.engine.cut();
    const restore = new Restore();
    for (let bytes = cut.next(() => true); bytes !== undefined; bytes = cut.next(() => true))
      restore.feed(bytes);
    this.engine = restore.finish();
    assert.equal(this.engine.digest(), digest);
  }
}

const scenarios: Readonly<Record<string, readonly string[]>> = {
  'first come, first served, one element each': [
    'c1 BLPOP q 0 => ...',
    'c2 BRPOP q 0 => ...',
    'c3 BLPOP q 0 => ...',
    'c9 RPUSH q a b => 2, c1 ["q","a"], c2 ["q","b"]',
    'c9 LLEN q => 0',
    'c9 RPUSH q c d => 2, c3 ["q","c"]',
    'c9 LRANGE q 0 -1 => ["d"]',
  ],
  'several keys: the one that comes first into being serves': [
    'c1 BLPOP a b c 0 => ...',
    'c2 BLPOP c a 0 => ...',
    'c9 EXEC RPUSH c 3 ; RPUSH a 1 ; RPUSH b 2 => [1,1,1], c1 ["c","3"], c2 ["a","1"]',
    'c9 LRANGE b 0 -1 => ["2"]',
  ],
  'sorted sets: the ends, and several at once': [
    'c1 BZPOPMIN z 0 => ...',
    'c2 BZPOPMAX z 0 => ...',
    'c3 BZMPOP 0 2 y z MAX COUNT 2 => ...',
    'c9 ZADD z 1 a 2 b 3 c 4 d 5 e => 5, c1 ["z","a",1], c2 ["z","e",5], c3 ["z",[["d",4],["c",3]]]',
    'c1 BZPOPMIN y z 0 => ["z","b",2]',
    'c9 EXISTS z => 0',
  ],
  'sorted sets that other commands bring about': [
    'c9 ZADD z 1 a 2 b => 2',
    'c1 BZPOPMIN stored 0 => ...',
    'c2 BZPOPMIN stored 0 => ...',
    'c9 ZRANGESTORE stored z 0 0 => 1, c1 ["stored","a",1]',
    'c9 ZUNIONSTORE stored 1 z WEIGHTS 2 => 2, c2 ["stored","a",2]',
    'c3 BZPOPMAX named 0 => ...',
    'c9 RENAME z named => "OK", c3 ["named","b",2]',
    'c9 ZRANGE named 0 -1 => ["a"]',
  ],
  'lists and sorted sets are waited for apart': [
    'c1 BZPOPMIN k 0 => ...',
    'c2 BLPOP k 0 => ...',
    'c9 ZADD k 1 a => 1, c1 ["k","a",1]',
    'c1 BZMPOP 0 1 k MIN => ...',
    'c9 RPUSH k x => 1, c2 ["k","x"]',
    'c9 EXEC RPUSH k x ; DEL k ; ZADD k 7 m => [1,1,1], c1 ["k",[["m",7]]]',
    'c9 SET s v => "OK"',
    'c1 BZPOPMIN none s 0 => !WRONGTYPE Operation against a key holding the wrong kind of value',
    'c1 EXEC BZPOPMIN none 0 ; BZMPOP 0 1 none MAX => [null,null]',
  ],
  'a key named twice is waited for once': [
    'c1 BLPOP q q 0 => ...',
    'c9 RPUSH q a b => 2, c1 ["q","a"]',
    'c9 LRANGE q 0 -1 => ["b"]',
  ],
  'a push undone in the same transaction serves nobody': [
    'c1 BLPOP q 0 => ...',
    'c9 EXEC RPUSH q a ; LPOP q => [1,"a"]',
    'c9 EXEC RPUSH q a ; LPOP q ; RPUSH q b => [1,"a",1], c1 ["q","b"]',
  ],
  'within a transaction nobody waits': [
    'c1 EXEC BLPOP q 0 ; BRPOP q 0 ; BLMOVE q r LEFT LEFT 0 ; BRPOPLPUSH q r 0 ; BLMPOP 0 1 q LEFT => [null,null,null,null,null]',
    'c9 RPUSH q a => 1',
    'c9 LRANGE q 0 -1 => ["a"]',
  ],
  'a chain of moves': [
    'c1 BLMOVE a b LEFT RIGHT 0 => ...',
    'c2 BLMOVE b c LEFT RIGHT 0 => ...',
    'c3 BLPOP c 0 => ...',
    'c9 RPUSH a x => 1, c1 "x", c2 "x", c3 ["c","x"]',
    'c9 LLEN c => 0',
  ],
  'a circle of moves ends': [
    'c1 BLMOVE a b LEFT RIGHT 0 => ...',
    'c2 BLMOVE b a LEFT RIGHT 0 => ...',
    'c9 RPUSH a x => 1, c1 "x", c2 "x"',
    'c9 LRANGE a 0 -1 => ["x"]',
  ],
  'a move within one list': [
    'c1 BLMOVE q q LEFT RIGHT 0 => ...',
    'c2 BRPOPLPUSH q q 0 => ...',
    'c3 BLPOP q 0 => ...',
    'c9 RPUSH q a b c => 3, c1 "a", c2 "a", c3 ["q","a"]',
    'c9 LRANGE q 0 -1 => ["b","c"]',
  ],
  'a move to a key of another type fails and leaves the element to the next': [
    'c9 SET s v => "OK"',
    'c1 BLMOVE q s LEFT RIGHT 0 => ...',
    'c2 BLPOP q 0 => ...',
    'c9 RPUSH q a => 1, c1 !WRONGTYPE Operation against a key holding the wrong kind of value, c2 ["q","a"]',
  ],
  'BLMPOP takes up to its count of what is there': [
    'c1 BLMPOP 0 2 a b RIGHT COUNT 2 => ...',
    'c2 BLMPOP 0 1 b LEFT COUNT 10 => ...',
    'c3 BLMPOP 0 1 b LEFT => ...',
    'c9 RPUSH b 1 2 3 4 => 4, c1 ["b",["4","3"]], c2 ["b",["1","2"]]',
    'c9 RPUSH b 5 => 1, c3 ["b",["5"]]',
  ],
  'a key of another type: refused at once, while a later one is not looked at': [
    'c9 SET s v => "OK"',
    'c9 RPUSH q a => 1',
    'c1 BLPOP s q 0 => !WRONGTYPE Operation against a key holding the wrong kind of value',
    'c1 BLPOP none s q 0 => !WRONGTYPE Operation against a key holding the wrong kind of value',
    'c1 BLPOP none q s 0 => ["q","a"]',
  ],
  'a string at the key leaves who waits waiting': [
    'c1 BLPOP q 0 => ...',
    'c9 SET q v => "OK"',
    'c9 GETDEL q => "v"',
    'c9 RPUSH q a => 1, c1 ["q","a"]',
  ],
  'a push that adds to a list serves nobody new': [
    'c1 BLPOP other 0 => ...',
    'c9 RPUSH q a => 1',
    'c9 RPUSHX q b => 2',
    'c9 LMOVE q other LEFT LEFT => "a", c1 ["other","a"]',
  ],
  'whatever brings a list makes its key ready': [
    'c1 BLPOP q 0 => ...',
    'c9 RPUSH other a b => 2',
    'c9 RENAME other q => "OK", c1 ["q","a"]',
    'c1 BLPOP r 0 => ...',
    'c9 COPY q r => 1, c1 ["r","b"]',
    'c1 SELECT 1 => "OK"',
    'c1 BLPOP q 0 => ...',
    'c9 MOVE q 1 => 1, c1 ["q","b"]',
    'c9 EXISTS q => 0',
  ],
  'SWAPDB takes keys along, not those who wait': [
    'c1 BLPOP a b 0 => ...',
    'c8 SELECT 1 => "OK"',
    'c8 RPUSH b x => 1',
    'c8 BLPOP a 0 => ...',
    'c9 SWAPDB 0 1 => "OK", c1 ["b","x"]',
    'c9 RPUSH a y => 1',
    'c9 SWAPDB 0 1 => "OK", c8 ["a","y"]',
  ],
  'a key that is gone by the time its turn comes serves nobody': [
    'c1 BLPOP q 0 => ...',
    'c9 EXEC RPUSH q a ; DEL q => [1,1]',
    'c9 EXEC RPUSH q a ; PEXPIRE q -1 => [1,1]',
    'c9 EXEC RPUSH q a ; FLUSHALL => [1,"OK"]',
    'c9 EXEC RPUSH q a ; RENAME q r => [1,"OK"]',
    'c9 EXEC RPUSH q a ; DEL q ; SET q v => [1,1,"OK"]',
    'c9 DEL q => 1',
    'c9 EXEC RPUSH q a ; SWAPDB 0 1 => [1,"OK"]',
    'c9 EXEC RPUSH q b ; MOVE q 2 => [1,1]',
    'c9 SWAPDB 0 1 => "OK", c1 ["q","a"]',
  ],
  'a sorted set at the key leaves who waits for a list waiting': [
    'c1 BLPOP k 0 => ...',
    'c9 ZADD k 1 m => 1',
    'c9 EXEC DEL k ; RPUSH k a => [1,1], c1 ["k","a"]',
  ],
  'each database has its own': [
    'c1 BLPOP q 0 => ...',
    'c2 SELECT 1 => "OK"',
    'c2 BLPOP q 0 => ...',
    'c8 SELECT 1 => "OK"',
    'c8 RPUSH q b => 1, c2 ["q","b"]',
    'c9 RPUSH q a => 1, c1 ["q","a"]',
  ],
  'timeouts: bad ones': [
    'c1 BLPOP q abc => !ERR timeout is not a float or out of range',
    'c1 BLPOP q -1 => !ERR timeout is negative',
    'c1 BLPOP q -0.002 => !ERR timeout is negative',
    'c1 BLPOP q nan => !ERR timeout is not a float or out of range',
    'c1 BLPOP q inf => !ERR timeout is negative',
    'c1 BLPOP q 1e400 => !ERR timeout is negative',
    'c1 BLPOP q 9223372036854776 => !ERR timeout is negative',
    'c1 BLMPOP -1 0 q LEFT => !ERR numkeys should be greater than 0',
    'c1 BLMPOP -1 1 q MIDDLE => !ERR syntax error',
    'c1 BLMPOP 0 1 q LEFT COUNT 0 => !ERR count should be greater than 0',
    'c1 BLMPOP -1 1 q LEFT => !ERR timeout is negative',
    'c1 BLMOVE q r UP LEFT -1 => !ERR syntax error',
    'c1 BLMOVE q r LEFT LEFT -1 => !ERR timeout is negative',
    'c1 BRPOPLPUSH q r x => !ERR timeout is not a float or out of range',
  ],
  'who leaves is not served': [
    'c1 BLPOP q 0 => ...',
    'c2 BLPOP q 0 => ...',
    'c1 leave => "OK"',
    'c9 RPUSH q a b => 2, c2 ["q","a"]',
  ],
  'CLIENT UNBLOCK': [
    'c1 BLPOP q 0 => ...',
    'c2 BLMOVE q r LEFT LEFT 0 => ...',
    'c9 unblock c1 TIMEOUT => 1, c1 null',
    'c9 unblock c2 ERROR => 1, c2 !UNBLOCKED client unblocked via CLIENT UNBLOCK',
    'c9 unblock c1 TIMEOUT => 0',
    'c9 RPUSH q a => 1',
  ],
};

for (const [name, lines] of Object.entries(scenarios)) {
  for (const withRestarts of [false, true]) {
    test(withRestarts ? `${name} (from a snapshot before each step)` : name, () => {
      const scene = new Scene();
      for (const line of lines) {
        if (withRestarts) scene.restart();
        const [command, expected] = line.split(' => ');
        assert.equal(scene.run(command), expected, line);
      }
    });
  }
}

test('timeouts pass in logged time, the earliest first, before the items of the entry', () => {
  const scene = new Scene();
  assert.equal(scene.run('c1 BLPOP q 0.0501'), '...');
  assert.equal(scene.run('c2 BLMOVE q r LEFT LEFT 0.02'), '...');
  assert.equal(scene.run('c3 BLMPOP 1e-30 1 q LEFT'), '...');
  assert.equal(scene.run('c4 BLPOP q 0x1p-4'), '...');
  assert.equal(scene.run('c5 BLPOP q -0.0001'), '...');
  assert.equal(scene.engine.nextDeadline(), START_MS + 1);
  assert.equal(scene.run('c9 wait 1'), 'c3 null');
  assert.equal(scene.engine.nextDeadline(), START_MS + 20);
  assert.equal(scene.run('c9 wait 49'), 'c2 null');
  assert.equal(scene.run('c9 wait 100'), 'c1 null, c4 null');
  assert.equal(scene.engine.nextDeadline(), undefined);
  assert.equal(scene.run('c9 RPUSH q a'), '1, c5 ["q","a"]');
});

test('a push in the entry that ends a wait comes too late', () => {
  const scene = new Scene();
  assert.equal(scene.run('c1 BLPOP q 0.01'), '...');
  scene.run('c8 wait 9');
  const request = encode(['RPUSH', 'q', 'a']);
  scene.run('c8 wait 0');
  scene.run('c8 wait 1');
  assert.equal(
    scene.apply((b) => b.command(session('c9'), 0, request, 0, request.length)),
    '1',
  );
});

test('what was pushed and popped between two items of one entry', () => {
  const scene = new Scene();
  const add = (b: EntryBuilder, client: string, ...words: string[]): void => {
    const request = encode(words);
    b.command(session(client), 0, request, 0, request.length);
  };
  const log = scene.apply((b) => {
    add(b, 'c1', 'BLPOP', 'q', '0');
    add(b, 'c9', 'RPUSH', 'q', 'a');
    add(b, 'c9', 'LLEN', 'q');
    add(b, 'c2', 'BLPOP', 'q', '0');
  });
  assert.equal(log, '..., 1, 0, ..., c1 ["q","a"]');
});

test('a start that is gone waits no more; a new term drops all', () => {
  const scene = new Scene();
  scene.run('c1 BLPOP q 0');
  const request = encode(['BLPOP', 'q', '0']);
  scene.apply((b) => b.command({ nodeId: 2, startId: 3, counter: 1 }, 0, request, 0, request.length));
  assert.equal(
    scene.apply((b) => b.forgetStart(2, 3)),
    '"OK"',
  );
  assert.equal(scene.engine.waiters.size, 1);
  const woken: string[] = [];
  scene.engine.dropWaiters({
    reply() {},
    wake: ({ counter }, reply) => woken.push(`c${counter} ${show(reply)}`),
    publish: () => 0,
    runProgramCommand: () => null,
  });
  assert.deepEqual(woken, [
    'c1 !UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)',
  ]);
  assert.equal(scene.run('c9 RPUSH q a'), '1');
});
