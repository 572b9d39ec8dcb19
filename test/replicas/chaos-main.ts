/**
 * `npm run chaos:replicas -- [--rounds 3]`: a redis-server follows a cluster of three that is under load,
 * while the leader, the node that it is attached to, its connection and it itself are killed in turn. Its
 * digest must equal the nodes' after each round.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../conformance/live/random.js';
import { generateUnits, loadFamilies } from '../../conformance/live/run-family.js';
import { RespClient } from '../../src/resp/client.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';

const FAMILIES = 'hashes lists sets streams strings zsets'.split(' ');
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const work = mkdtempSync(join(tmpdir(), 'redraft-replicas-'));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`not within 30 s: ${what}`);
    await pause(50);
  }
}

async function ask(port: number, ...args: string[]): Promise<string> {
  const client = await RespClient.connect({ host: '127.0.0.1', port });
  try {
    return String(await client.call(...args));
  } finally {
    await client.close();
  }
}

class Member {
  process: SpawnedRedraft | undefined;

  constructor(
    readonly port: number,
    private readonly args: readonly string[],
  ) {}

  async start(): Promise<void> {
    this.process = await SpawnedRedraft.start(this.port, ...this.args);
  }

  async kill(): Promise<void> {
    await this.process?.end('SIGKILL');
  }
}

class Load {
  writes = 0;
  private isStopped = false;
  private readonly running: Promise<void>;

  constructor(
    private readonly leader: () => Promise<number>,
    seed: number,
  ) {
    this.running = this.run(new Random(seed));
  }

  private async run(random: Random): Promise<void> {
    const families = await loadFamilies(FAMILIES);
    while (!this.isStopped) {
      try {
        const client = await RespClient.connect({ host: '127.0.0.1', port: await this.leader() });
        try {
          while (!this.isStopped) {
            const sent: Promise<unknown>[] = [];
            for (const { commands = [] } of generateUnits(random.pick(families), random, 100))
              for (const { words } of commands)
                if (words.length > 0 && words[0] !== '') sent.push(client.call(...words));
            await Promise.all(sent);
            this.writes += sent.length;
          }
        } finally {
          await client.close();
        }
      } catch {
        await pause(50);
      }
    }
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.running;
  }
}

async function run(): Promise<void> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const members = ports.map(
    (port, i) =>
      new Member(port, ['--dir', join(work, `node${i}`), ...(i === 0 ? [] : ['--join', `${ports[0]}`])]),
  );
  const redisPort = await freePort();
  let redis: ChildProcess | undefined;
  const startRedis = (master: number): void => {
    const options = ['--port', `${redisPort}`, '--save', '', '--dir', work, '--enable-debug-command', 'yes'];
    redis = spawn('redis-server', [...options, '--replicaof', '127.0.0.1', `${master}`], { stdio: 'ignore' });
  };
  const leaderPort = (): Promise<number> =>
    until('a leader', async () => {
      for (const { port } of members)
        if ((await ask(port, 'RAFTSTATE').catch(() => '')) === 'Leader') return port;
      return undefined;
    });
  try {
    for (const member of members) await member.start();
    await until('three members', async () =>
      (await ask(ports[0], 'RAFTPEERS')).split(',').length === 3 ? true : undefined,
    );
    const [, , master] = members;
    startRedis(master.port);
    for (let round = 1; round <= Number(values.rounds); round++) {
      const load = new Load(leaderPort, round);
      const faults: readonly (readonly [string, () => Promise<void>])[] = [
        ['its connection', async () => void (await ask(master.port, 'CLIENT', 'KILL', 'TYPE', 'replica'))],
        [
          'the leader',
          async () => {
            const leader = members.find(({ port }) => port === leading)!;
            await leader.kill();
            await leaderPort();
            await leader.start();
          },
        ],
        [
          'its node',
          async () => {
            await master.kill();
            await pause(300);
            await master.start();
          },
        ],
        [
          'itself',
          async () => {
            redis?.kill('SIGKILL');
            await pause(300);
            startRedis(master.port);
          },
        ],
      ];
      let leading = 0;
      for (const [, fault] of faults) {
        await pause(700);
        leading = await leaderPort();
        await fault();
      }
      await pause(700);
      await load.stop();
      const digest = await until('equal digests', async () => {
        const found = await Promise.all([...ports, redisPort].map((port) => ask(port, 'DEBUG', 'DIGEST')));
        return found.every((one) => one === found[0]) ? found[0] : undefined;
      });
      const killed = faults.map(([name]) => name).join(', ');
      console.log(`round ${round}: ${load.writes} commands, killed ${killed}: digest ${digest} on all four`);
    }
    console.log('ok');
  } finally {
    redis?.kill('SIGKILL');
    await Promise.all(members.map((member) => member.kill()));
    rmSync(work, { recursive: true, force: true });
  }
}

await run();
