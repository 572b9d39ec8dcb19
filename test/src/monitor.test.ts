/** MONITOR shows what redis-server 7.0.15 shows: the lines below are its own, but for time and address. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Redraft } from '../../src/index.js';
import { createLog } from '../../src/observability/log.js';
import { TestCluster, until } from '../cluster/nodes.js';

class Line {
  text = '';

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
  }

  static async connect(port: number): Promise<Line> {
    const line = new Line(connect({ port, host: '127.0.0.1' }));
    await line.ask('PING', '+PONG\r\n');
    return line;
  }

  /** Sends a line, or several, and waits until the whole reply, or its beginning, has come. */
  async ask(text: string, begins: string): Promise<void> {
    this.text = '';
    this.socket.write(`${text}\r\n`);
    await until(`'${text}' is answered`, () => this.text.startsWith(begins));
  }
}

const masked = (text: string): string[] =>
  text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) =>
      line.replace(
        /^\+\d{10}\.\d{6} \[(\d+) (?:127\.0\.0\.1:\d+|lua)\]/,
        (_all, database: string) => `[${database}]`,
      ),
    );

async function check(port: number): Promise<void> {
  const monitor = await Line.connect(port);
  const client = await Line.connect(port);
  await monitor.ask('MONITOR', '+OK\r\n');
  // A second one is not answered at all.
  await monitor.ask('MONITOR\r\nGET k', "-ERR Replica can't interact with the keyspace\r\n");
  await monitor.ask('PING', '+PONG\r\n');
  await until('it sees itself', () => monitor.text.includes('"PING"'));
  assert.deepEqual(masked(monitor.text), ['+PONG', '[0] "PING"']);
  monitor.text = '';
  await client.ask(
    'MULTI\r\nSET k 1\r\nGET k\r\nSELECT 3\r\nGET k\r\nEXEC',
    `+OK\r\n${'+QUEUED\r\n'.repeat(4)}*4\r\n`,
  );
  await client.ask('SELECT 0', '+OK\r\n');
  await client.ask('AUTH foo', '-ERR AUTH');
  await client.ask('AUTH foo bar', '-WRONGPASS');
  await client.ask('HELLO 2 AUTH u p', '-WRONGPASS');
  await client.ask('CONFIG GET port', '*2');
  await client.ask('SET "a\\x00\\n\\"\\\\\\xff" 1', '+OK');
  await client.ask('NOSUCH x', '-ERR');
  await client.ask('GET', '-ERR');
  await client.ask('BLPOP q 0.05', '*-1');
  await client.ask('MIGRATE 127.0.0.1 1 k 0 10 AUTH pw', '-IOERR');
  await client.ask('MIGRATE 127.0.0.1 1 k 0 10 AUTH2 user pw', '-IOERR');
  await client.ask('PUBLISH a b', ':');
  await client.ask('MULTI\r\nMONITOR\r\nEXEC', '+OK\r\n+QUEUED\r\n*1\r\n-ERR MONITOR isn');
  await client.ask('WATCH k\r\nSET k 2\r\nMULTI\r\nGET k\r\nEXEC', '+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*-1\r\n');
  const source =
    "redis.call('set',KEYS[1],1) redis.call('select',3) redis.pcall('nosuch') redis.call('ping') return 1";
  await client.ask(`EVAL "${source}" 1 k`, ':1');
  await client.ask(`EVAL_RO "return redis.call('get','k') and redis.pcall('set','k',1)" 0`, '-ERR Write');
  await client.ask('SCRIPT LOAD "return 1"', '$40');
  const expected = [
    '[0] "MULTI"',
    '[0] "SET" "k" "1"',
    '[0] "GET" "k"',
    '[0] "SELECT" "3"',
    '[3] "GET" "k"',
    '[3] "EXEC"',
    '[0] "SELECT" "0"',
    '[0] "AUTH" "(redacted)"',
    '[0] "AUTH" "(redacted)" "(redacted)"',
    '[0] "HELLO" "2" "AUTH" "(redacted)" "(redacted)"',
    '[0] "SET" "a\\x00\\n\\"\\\\\\xff" "1"',
    '[0] "BLPOP" "q" "0.05"',
    '[0] "MIGRATE" "127.0.0.1" "1" "k" "0" "10" "AUTH" "(redacted)"',
    '[0] "MIGRATE" "127.0.0.1" "1" "k" "0" "10" "AUTH2" "(redacted)" "(redacted)"',
    '[0] "PUBLISH" "a" "b"',
    '[0] "MULTI"',
    '[0] "EXEC"',
    '[0] "WATCH" "k"',
    '[0] "SET" "k" "2"',
    '[0] "MULTI"',
    '[0] "EXEC"',
    `[0] "EVAL" "${source}" "1" "k"`,
    '[0] "set" "k" "1"',
    '[0] "select" "3"',
    '[3] "ping"',
    `[0] "EVAL_RO" "return redis.call('get','k') and redis.pcall('set','k',1)" "0"`,
    '[0] "get" "k"',
    '[0] "SCRIPT" "LOAD" "return 1"',
  ];
  await until('it has seen all', () => masked(monitor.text).length >= expected.length);
  assert.deepEqual(masked(monitor.text), expected);
  await client.ask('CLIENT LIST', '$');
  assert.match(client.text, / flags=O /);
  await monitor.ask('RESET', '+RESET\r\n');
  await monitor.ask('GET k', '$');
  await client.ask('DEL k', ':');
  monitor.socket.destroy();
  client.socket.destroy();
}

test('in memory', async () => {
  const redraft = await Redraft.start();
  try {
    await check(redraft.port);
  } finally {
    await redraft.stop();
  }
});

test('at the leader of three nodes', async (t: TestContext) => {
  const cluster = await TestCluster.start(t, 3);
  await check((await cluster.leader()).port);
});

test('a monitor that does not read is cut off', async () => {
  const lines: string[] = [];
  const redraft = await Redraft.start({
    configuration: { 'client-output-buffer-limit': 'pubsub 1048576 0 0' },
    log: createLog('warning', (line) => lines.push(line)),
  });
  try {
    const monitor = await Line.connect(redraft.port);
    const client = await Line.connect(redraft.port);
    await monitor.ask('MONITOR', '+OK\r\n');
    monitor.socket.pause();
    const value = 'x'.repeat(60_000);
    await until('it is cut off', async () => {
      for (let i = 0; i < 20; i++) await client.ask(`SET k ${value}`, '+OK');
      return redraft.server.audience.monitors.size === 0;
    });
    assert.match(lines.join(''), /messages and replies wait unread/);
    monitor.socket.destroy();
    client.socket.destroy();
  } finally {
    await redraft.stop();
  }
});
