/** A client that speaks as Redis's replicas do. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Redraft } from '../../src/index.js';
import { RdbFile, type RdbKey } from '../../src/migration/rdb-file.js';
import { RespClient } from '../../src/resp/client.js';
import { encodeRequest } from '../../src/resp/encode-request.js';

async function nodeOf(
  t: TestContext,
  configuration: Record<string, string> = {},
  isDurable = false,
): Promise<Redraft> {
  const dir = isDurable ? mkdtempSync(join(tmpdir(), 'replicas-')) : undefined;
  const redraft = await Redraft.start({ port: 0, configuration, ...(dir === undefined ? {} : { dir }) });
  t.after(async () => {
    await redraft.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });
  return redraft;
}

const clients = new WeakMap<Redraft, Promise<RespClient>>();

async function call(redraft: Redraft, ...args: string[]): Promise<unknown> {
  let client = clients.get(redraft);
  if (client === undefined) {
    client = RespClient.connect({ host: '127.0.0.1', port: redraft.port });
    clients.set(redraft, client);
  }
  return textOf(await (await client).call(...args));
}

const textOf = (reply: unknown): unknown =>
  Buffer.isBuffer(reply) ? reply.latin1Slice() : Array.isArray(reply) ? reply.map(textOf) : reply;

/** Polls, with a deadline. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > end) assert.fail(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

class Replica {
  private chunks: Buffer[] = [];
  isClosed = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.chunks.push(chunk);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** What has come and was not taken yet: put together when somebody looks, for files are large. */
  get bytes(): Buffer {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0];
  }

  set bytes(bytes: Buffer) {
    this.chunks = [bytes];
  }

  static async open(t: TestContext, redraft: Redraft): Promise<Replica> {
    const socket = connect({ host: '127.0.0.1', port: redraft.port });
    await once(socket, 'connect');
    t.after(() => socket.destroy());
    return new Replica(socket);
  }

  send(...args: string[]): void {
    this.socket.write(encodeRequest(args));
  }

  async line(): Promise<string> {
    for (;;) {
      await until('a line', () => this.bytes.includes(10));
      const end = this.bytes.indexOf(10);
      const text = this.bytes.latin1Slice(0, end).trim();
      this.bytes = this.bytes.subarray(end + 1);
      if (text !== '') return text;
    }
  }

  async ask(...args: string[]): Promise<string> {
    this.send(...args);
    return this.line();
  }

  /** The file that was announced: its keys. */
  async file(): Promise<RdbKey[]> {
    const length = Number((await this.line()).slice(1));
    await until('a file', () => this.bytes.length >= length);
    const file = new RdbFile();
    file.feed(this.bytes.subarray(0, length));
    this.bytes = this.bytes.subarray(length);
    const keys: RdbKey[] = [];
    for (let record = file.next(); record?.kind !== 'end'; record = file.next()) {
      assert.ok(record !== undefined);
      if (record.kind === 'key') keys.push(record);
    }
    return keys;
  }

  async saw(text: string): Promise<void> {
    await until(`${JSON.stringify(text)} in the stream`, () => this.bytes.includes(text));
  }
}

const request = (...args: string[]): string => encodeRequest(args).latin1Slice();

for (const isDurable of [false, true]) {
  test(`a whole file, the stream, and on from an offset; ${isDurable ? 'durable' : 'in memory'}`, async (t) => {
    const redraft = await nodeOf(t, {}, isDurable);
    await call(redraft, 'SET', 'before', '1');
    for (let i = 0; i < 300; i++) await call(redraft, 'RPUSH', 'list', `element ${i} of a list that is long`);
    const first = await Replica.open(t, redraft);
    assert.equal(await first.ask('PING'), '+PONG');
    assert.equal(await first.ask('REPLCONF', 'listening-port', '6399'), '+OK');
    assert.equal(await first.ask('REPLCONF', 'capa', 'eof', 'capa', 'psync2'), '+OK');
    const [kind, id, offset] = (await first.ask('PSYNC', '?', '-1')).split(' ');
    assert.equal(kind, '+FULLRESYNC');
    assert.match(id, /^[0-9a-f]{40}$/);
    assert.deepEqual((await first.file()).map(({ key }) => key).sort(), ['before', 'list']);
    await call(redraft, 'SET', 'after', '2', 'EX', '100');
    const select = request('SELECT', '0');
    await first.saw(`${select}*5\r\n$3\r\nSET\r\n$5\r\nafter`);
    const seen = first.bytes.length;
    first.send('REPLCONF', 'ACK', `${Number(offset) + seen}`);
    const info = (): Promise<unknown> => call(redraft, 'INFO', 'replication');
    await until('the acknowledgement', async () =>
      `${await info()}`.includes(
        `state=online,offset=${redraft.server.engine.appliedIndex},lag=0,stream_offset=${Number(offset) + seen}`,
      ),
    );
    assert.match(`${await call(redraft, 'CLIENT', 'LIST', 'TYPE', 'replica')}`, /flags=S /);
    assert.match(JSON.stringify(await call(redraft, 'ROLE')), /"6399"/);
    first.socket.destroy();
    await call(redraft, 'SET', 'while away', '3');

    const again = await Replica.open(t, redraft);
    assert.equal(await again.ask('PSYNC', id, `${Number(offset) + seen + 1}`), `+CONTINUE ${id}`);
    await again.saw('while away');
    assert.ok(
      again.bytes.latin1Slice().startsWith('*3\r\n$3\r\nSET\r\n$10\r\nwhile away'),
      'and nothing before',
    );

    for (const [other, from] of [
      ['f'.repeat(40), '1'],
      [id, '99999999'],
      [id, '-7'],
    ]) {
      const stranger = await Replica.open(t, redraft);
      assert.match(await stranger.ask('PSYNC', other, from), /^\+FULLRESYNC/, `${other} ${from}`);
      assert.equal((await stranger.file()).length, 4);
    }
  });
}

test('who waits for the file that another replica asked for gets it, though the other is gone', async (t) => {
  const redraft = await nodeOf(t);
  await redraft.load(
    Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`key:${i}`, 'x'.repeat(50)])),
  );
  const first = await Replica.open(t, redraft);
  first.send('PSYNC', '?', '-1');
  const second = await Replica.open(t, redraft);
  second.send('PSYNC', '?', '-1');
  await until('both wait', async () => `${await call(redraft, 'INFO', 'replication')}`.includes('slaves:2'));
  first.socket.destroy();
  await until('one waits', async () => `${await call(redraft, 'INFO', 'replication')}`.includes('slaves:1'));
  assert.match(await second.line(), /^\+FULLRESYNC /);
  assert.equal((await second.file()).length, 20_000);
});

test('a file alone, as redis-cli --rdb asks for it', async (t) => {
  const redraft = await nodeOf(t);
  await call(redraft, 'SET', 'a', '1');
  await call(
    redraft,
    'FUNCTION',
    'LOAD',
    "#!lua name=l\nredis.register_function('f', function() return 1 end)",
  );
  for (const [filter, keys] of [
    [undefined, 1],
    ['', 0],
    ['functions', 0],
  ] as const) {
    const tool = await Replica.open(t, redraft);
    assert.equal(await tool.ask('REPLCONF', 'rdb-only', '1'), '+OK');
    if (filter !== undefined) assert.equal(await tool.ask('REPLCONF', 'rdb-filter-only', filter), '+OK');
    tool.socket.write('SYNC\r\n');
    assert.equal((await tool.file()).length, keys);
    await until('the end', () => tool.isClosed);
  }
  assert.match(`${await call(redraft, 'INFO', 'replication')}`, /connected_slaves:0/);
});

test('who reads too slowly is closed at the limit of its class, and costs no more', async (t) => {
  const redraft = await nodeOf(t, { 'client-output-buffer-limit': 'replica 2mb 0 0' });
  const slow = await Replica.open(t, redraft);
  assert.match(await slow.ask('PSYNC', '?', '-1'), /^\+FULLRESYNC/);
  await slow.file();
  slow.socket.pause();
  const value = 'x'.repeat(100_000);
  let most = 0;
  for (let i = 0; i < 400 && redraft.server.replicas.describe().length > 0; i++) {
    await call(redraft, 'SET', `k${i % 10}`, value);
    most = Math.max(most, redraft.server.replicas.bufferedBytes);
  }
  await until('the end', () => redraft.server.replicas.describe().length === 0);
  // At once, not when somebody looks: what the limit allows, and the write that was one too many.
  assert.ok(most < 2 * 2 ** 20 + 300_000, `${most}`);
  await call(redraft, 'SET', 'k', value);
  assert.ok(redraft.server.replicas.bufferedBytes < 3_000_000, `${redraft.server.replicas.bufferedBytes}`);
});

test('who takes nothing of its file is let go, and the file with it', async (t) => {
  const redraft = await nodeOf(t, { 'repl-timeout': '1' }, true);
  // More than the sockets of both sides hold, and nothing that the file could have shorter.
  for (let i = 0; i < 16; i++) await call(redraft, 'SET', `k${i}`, randomBytes(750_000).toString('base64'));
  const stuck = await Replica.open(t, redraft);
  stuck.socket.write(encodeRequest(['PSYNC', '?', '-1']));
  await once(stuck.socket, 'data');
  stuck.socket.pause();
  await until('the file is sent', () => redraft.server.replicas.describe()[0]?.state === 'send_bulk');
  await until('the end', () => redraft.server.replicas.describe().length === 0);
  const other = await Replica.open(t, redraft);
  assert.match(await other.ask('PSYNC', '?', '-1'), /^\+FULLRESYNC/);
  await until('it has the file', () => redraft.server.replicas.describe()[0]?.state === 'online');
  assert.ok(other.bytes.length > 10_000_000, `${other.bytes.length}`);
});

test('another state is another stream', async (t) => {
  const redraft = await nodeOf(t);
  const replica = await Replica.open(t, redraft);
  const [, id] = (await replica.ask('PSYNC', '?', '-1')).split(' ');
  await replica.file();
  redraft.server.reload();
  await until('the end', () => replica.isClosed);
  const again = await Replica.open(t, redraft);
  const [kind, other] = (await again.ask('PSYNC', id, '1')).split(' ');
  assert.equal(kind, '+FULLRESYNC');
  assert.notEqual(other, id);
});

test('rights: PSYNC is a command like others', async (t) => {
  const redraft = await nodeOf(t);
  await call(redraft, 'ACL', 'SETUSER', 'reader', 'on', '>pw', '~*', '+@read');
  await call(redraft, 'ACL', 'SETUSER', 'copier', 'on', '>pw', '+psync', '+replconf', '+ping');
  const reader = await Replica.open(t, redraft);
  await reader.ask('AUTH', 'reader', 'pw');
  assert.match(await reader.ask('PSYNC', '?', '-1'), /^-NOPERM/);
  assert.match(await reader.ask('REPLCONF', 'capa', 'eof'), /^-NOPERM/);
  const copier = await Replica.open(t, redraft);
  await copier.ask('AUTH', 'copier', 'pw');
  assert.match(await copier.ask('PSYNC', '?', '-1'), /^\+FULLRESYNC/);
});

test('what a replica says is input', async (t) => {
  const redraft = await nodeOf(t);
  const replica = await Replica.open(t, redraft);
  for (const [args, reply] of [
    [['a'], '-ERR syntax error'],
    [['x'.repeat(300), '1'], `-ERR Unrecognized REPLCONF option: ${'x'.repeat(128)}`],
    [['listening-port', 'x'], '-ERR value is not an integer or out of range'],
    [
      ['ip-address', 'x'.repeat(256)],
      '-ERR REPLCONF ip-address provided by replica instance is too long: 255 bytes max',
    ],
    [['rdb-only', '2'], '-ERR value is out of range, value must between 0 and 1'],
    [['rdb-filter-only', 'keys'], '-ERR Unsupported rdb-filter-only option: keys'],
  ] as const)
    assert.equal(await replica.ask('REPLCONF', ...args), reply);
  assert.equal(await replica.ask('PSYNC', '?', 'x'), '-ERR value is not an integer or out of range');
  replica.send('REPLCONF', 'ACK', '99999');
  assert.match(await replica.ask('PSYNC', '?', '-1'), /^\+FULLRESYNC/);
  await replica.file();
  replica.send('REPLCONF', 'ACK', '999999999999');
  replica.send('REPLCONF', 'ACK', 'x');
  replica.send('GET', 'a');
  replica.send('PSYNC', '?', '-1');
  await call(redraft, 'SET', 'a', '1');
  await replica.saw(request('SET', 'a', '1'));
  assert.equal(replica.bytes.latin1Slice(), request('SELECT', '0') + request('SET', 'a', '1'));
  const [{ offset }] = redraft.server.replicas.describe();
  assert.ok(offset <= redraft.server.replicas.stream!.offset);
});
