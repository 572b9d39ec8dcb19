/** Moving into a node: from a file, and from a Redis that goes on writing while connections are lost. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseCommandLine } from '../../src/cli/command-line.js';
import { runImport } from '../../src/cli/import.js';
import { Redraft } from '../../src/index.js';
import { Follower, MARKER } from '../../src/migration/follow.js';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { defaultRequestLimits, RequestParser } from '../../src/resp/request-parser.js';
import { root } from '../program-path.js';

const path = join(root, 'test/migration/redis-7.0.15.rdb');
const ID = 'a'.repeat(40);
const MARK = 'm'.repeat(40);

async function nodeOf(t: TestContext): Promise<Redraft> {
  const redraft = await Redraft.start({ port: 0 });
  t.after(() => redraft.stop());
  return redraft;
}

async function run(
  redraft: Redraft,
  ...args: string[]
): Promise<{ code: number; out: string; said: string }> {
  const command = parseCommandLine(['import', ...args, '--to', redraft.address], {});
  assert.equal(command.kind, 'import');
  const { source, options } = command as Extract<typeof command, { kind: 'import' }>;
  let [out, said] = ['', ''];
  const code = await runImport(
    source,
    options,
    (text) => {
      out += text;
    },
    {
      print: (text) => {
        said += text;
      },
    },
  );
  return { code, out, said };
}

const call = (redraft: Redraft, ...args: string[]): unknown => redraft.server.engine.call(...args);

/** A Redis as its replicas see it: a file, then writes, of which it keeps a backlog. */
class Source {
  /** What it answers to PSYNC in place of what it should. */
  psync: string | undefined;
  readonly server = createServer((socket) => this.serve(socket));
  readonly sockets = new Set<Socket>();
  backlog = Buffer.alloc(0);
  keeps = true;
  replicas = new Set<Socket>();
  keyspace = 'db0:keys=11\r\ndb3:keys=4\r\n';
  pausedFor = '';

  static async start(t: TestContext): Promise<Source> {
    const source = new Source();
    await new Promise<void>((resolve) => source.server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      source.server.close();
      for (const socket of source.sockets) socket.destroy();
    });
    return source;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as { port: number }).port}`;
  }

  write(...args: string[]): void {
    const bytes = encodeRequest(args);
    this.backlog = Buffer.concat([this.backlog, bytes]);
    for (const socket of this.replicas) socket.write(bytes);
  }

  dropReplicas(): void {
    for (const socket of this.replicas) socket.destroy();
    this.replicas.clear();
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.replicas.delete(socket));
    const parser = new RequestParser(defaultRequestLimits);
    socket.on('data', (chunk) => {
      parser.feed(chunk);
      while (parser.next()) {
        const { request } = parser;
        this.answer(
          socket,
          Array.from({ length: request.count }, (_, i) => request.latin1(i)),
        );
      }
      parser.hold();
    });
  }

  private answer(socket: Socket, args: readonly string[]): void {
    const [name, id, offset] = args;
    if (name === 'PING') socket.write('+PONG\r\n');
    else if (name === 'REPLCONF') {
      if (id === 'capa') socket.write('+OK\r\n');
    } else if (name === 'PSYNC' && this.psync !== undefined) {
      socket.write(this.psync, 'latin1');
    } else if (name === 'PSYNC') {
      if (id === ID && this.keeps) {
        socket.write(`+CONTINUE ${ID}\r\n`);
        socket.write(this.backlog.subarray(Number(offset) - 1001));
      } else {
        socket.write(`+FULLRESYNC ${ID} 1000\r\n\n\n$EOF:${MARK}\r\n`);
        const file = readFileSync(path);
        socket.write(file.subarray(0, 100));
        socket.write(Buffer.concat([file.subarray(100), Buffer.from(MARK), this.backlog]));
      }
      this.replicas.add(socket);
    } else if (name === 'CLIENT') {
      this.pausedFor = offset ?? '';
      socket.write('+OK\r\n');
    } else if (name === 'INFO') {
      const text =
        id === 'replication' ? `master_repl_offset:${1000 + this.backlog.length}\r\n` : this.keyspace;
      socket.write(`$${text.length}\r\n${text}\r\n`);
    }
  }
}

async function until(what: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!what()) {
    if (performance.now() > deadline) throw new Error('it did not come to that');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a file of redis-server: everything is there, a second time it is there already', async (t) => {
  const redraft = await nodeOf(t);
  const dry = await run(redraft, path, '--dry-run', '--json');
  assert.equal(dry.code, 0);
  assert.equal(call(redraft, 'DBSIZE'), 0);
  assert.deepEqual(JSON.parse(dry.out).databases['3'].hash, { keys: 1, bytes: 9, withDeadline: 0 });

  const first = await run(redraft, path, '--json');
  assert.equal(first.code, 0, first.said);
  assert.equal(JSON.parse(first.out).restored, 12);
  assert.equal(call(redraft, 'GET', 'number'), '12345');
  assert.equal(call(redraft, 'PEXPIRETIME', 'text'), 4102444800000);
  assert.deepEqual(call(redraft, 'LRANGE', 'list', '0', '-1'), ['a', 'b', '3']);
  assert.deepEqual(call(redraft, 'XPENDING', 'stream', 'g'), [1, '1-1', '1-1', [['c', '1']]]);
  assert.equal(call(redraft, 'FCALL', 'one', '0'), 1);

  const again = await run(redraft, path, '--json');
  assert.equal(again.code, 1);
  assert.deepEqual([JSON.parse(again.out).restored, JSON.parse(again.out).existing], [0, 13]);
  const replaced = await run(redraft, path, '--json', '--replace');
  assert.deepEqual([replaced.code, JSON.parse(replaced.out).restored], [0, 12]);
});

test('only some keys: of a database, of a pattern', async (t) => {
  const redraft = await nodeOf(t);
  const { out, code } = await run(redraft, path, '--db', '0', '--match', '*s*', '--json');
  assert.equal(code, 0);
  assert.deepEqual((call(redraft, 'KEYS', '*') as string[]).sort(), [
    ...['compressed', 'hash', 'ints', 'list', 'stream', 'words', 'zset'],
  ]);
  assert.equal(JSON.parse(out).leftOut, 5);
});

test('what cannot be imported is said in words', async (t) => {
  const redraft = await nodeOf(t);
  const none = await run(redraft, '/no/such.rdb');
  assert.deepEqual([none.code, none.said], [1, 'redraft: /no/such.rdb: there is no such file\n']);
  assert.match((await run(redraft, path, '--cutover')).said, /are for a redis:\/\/ source/);
  assert.match((await run(redraft, 'redis://127.0.0.1:1')).said, /127\.0\.0\.1:1: .*ECONNREFUSED/);
  assert.match((await run(redraft, 'redis://x', '--match', 'a')).said, /--db and --match need --once/);
});

test('what a source says is input', async (t) => {
  const redraft = await nodeOf(t);
  const source = await Source.start(t);
  for (const [psync, said] of [
    ['-NOPERM no\r\n', /PSYNC: NOPERM no/],
    [`+FULLRESYNC ${ID} ${'9'.repeat(400)}\r\n$0\r\n`, /answers PSYNC with/],
    [`+FULLRESYNC short 7\r\n$0\r\n`, /answers PSYNC with/],
    [`+CONTINUE ${ID}\r\n`, /answers PSYNC with/],
    [`+FULLRESYNC ${ID} 7\r\n$${'9'.repeat(30)}\r\n`, /sends no file/],
    [
      `+FULLRESYNC ${ID} 7\r\n$15\r\nREDIS0010\xfa\x09cut s*1\r\n$4\r\nPING\r\n`,
      /its file ends in the middle/,
    ],
    [`+FULLRESYNC ${ID} 7\r\n$12\r\nREDIS0010\x63\x01k`, /of type 99, which is not known/],
    [`+FULLRESYNC ${ID} 7\r\n${'x'.repeat(100_000)}`, /a line that does not end/],
    [`+FULLRESYNC ${ID} 7\r\n$EOF:${MARK}\r\nREDIS0003\xff${'n'.repeat(40)}`, /without the mark/],
  ] as const) {
    source.psync = psync;
    const result = await run(redraft, source.url, '--cutover');
    assert.equal(result.code, 1, psync.slice(0, 60));
    assert.match(result.said, said);
    assert.ok(!/\n +at /.test(result.said), 'no stack');
  }
  source.psync = undefined;
  for (const words of [['SELECT'], ['SELECT', 'x'], ['SELECT', '-1'], ['SELECT', '9'.repeat(400)]]) {
    redraft.server.engine.call('FLUSHALL');
    source.backlog = Buffer.alloc(0);
    source.write(...words);
    const result = await run(redraft, source.url, '--cutover');
    assert.equal(result.code, 1, words.join(' '));
    assert.match(result.said, /the source sends SELECT/);
  }
});

test('a transaction that does not end takes no more than a node could take', async () => {
  let sent = 0;
  const source = {
    async *commands() {
      yield { args: [Buffer.from('MULTI')], offset: 1 };
      for (; sent < 1000; sent++) yield { args: [Buffer.from('SET'), Buffer.alloc(100)], offset: sent + 2 };
    },
    acknowledge: () => {},
  };
  const start = { replicationId: ID, offset: 0, database: 0 };
  const follower = new Follower(source as never, {} as never, start, 5000);
  await assert.rejects(follower.run(), (error: Error) => {
    assert.match(error.message, /more than 5000 bytes: no entry of the log takes it/);
    assert.equal(follower.isOfSource(error), false, 'another connection would not help');
    return true;
  });
  assert.ok(sent < 50, `${sent}`);
});

test('a running Redis is followed, each write once, whatever connections are lost; then it cuts over', async (t) => {
  const redraft = await nodeOf(t);
  const source = await Source.start(t);
  source.write('SELECT', '0');
  const lost = [
    redraft.faults.dropReply({ command: 'exec' }, { after: 2, times: 3 }),
    redraft.faults.drop({ command: 'exec' }, { after: 4, times: 3 }),
  ];
  const running = run(redraft, source.url, '--pause', '7s');
  await until(() => source.replicas.size > 0);
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 50; i++) source.write('INCR', 'counter');
    source.write('MULTI');
    source.write('SELECT', '3');
    source.write('RPUSH', 'log', `${round}`);
    source.write('SELECT', '0');
    source.write('APPEND', 'trace', `${round},`);
    source.write('EXEC');
    if (round % 4 === 1) source.dropReplicas();
    // In the middle of a batch at times.
    if (round % 3 === 0) await until(() => `${call(redraft, 'GET', 'trace')}`.includes(`${round},`));
  }
  process.emit('SIGINT');
  const { code, said } = await running;
  assert.equal(code, 0, said);
  assert.match(said, /connecting again/);
  assert.deepEqual(
    lost.map(({ hits }) => hits),
    [3, 3],
  );
  assert.equal(source.pausedFor, '7000');
  assert.equal(call(redraft, 'GET', 'counter'), '1000');
  assert.equal(call(redraft, 'GET', 'trace'), Array.from({ length: 20 }, (_, i) => `${i},`).join(''));
  assert.equal(call(redraft, 'GET', MARKER), null);
});

test('an import that was ended goes on where it stopped; what the source has forgotten is said', async (t) => {
  const redraft = await nodeOf(t);
  const source = await Source.start(t);
  source.keyspace = 'db0:keys=12\r\n';
  source.write('SELECT', '0');
  source.write('SET', 'a', '1');
  const differs = await run(redraft, source.url, '--cutover');
  assert.equal(differs.code, 1);
  assert.match(differs.said, /numbers of keys differ: database 0: 12 at the source, 10 here; database 3: 0/);

  // As one that was killed leaves it.
  const offset = 1000 + source.backlog.length;
  call(redraft, 'SET', MARKER, `${ID} ${offset} 0`);
  source.write('SET', 'b', '2');
  source.keyspace = 'db0:keys=11\r\ndb3:keys=3\r\n';
  const goneOn = await run(redraft, source.url, '--cutover');
  assert.equal(goneOn.code, 0, goneOn.said);
  assert.match(goneOn.said, new RegExp(`goes on where an import stopped, at offset ${offset}`));
  assert.equal(call(redraft, 'GET', 'b'), '2');

  source.keeps = false;
  call(redraft, 'SET', MARKER, `${ID} 1000 0`);
  const forgotten = await run(redraft, source.url, '--cutover');
  assert.equal(forgotten.code, 1);
  assert.match(forgotten.said, /the source has forgotten what came behind offset 1000/);
});
