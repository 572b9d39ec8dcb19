/** Three nodes with a status page each, and a headless Chromium to look at them. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { HttpDoor } from '../../src/http/http-door.js';
import { Redraft } from '../../src/index.js';
import { createLog } from '../../src/observability/log.js';
import { RespClient } from '../../src/resp/client.js';
import { root } from '../program-path.js';

/** Undefined where there is none. */
export const chromiumPath = ['chromium', 'chromium-browser', 'google-chrome']
  .map((name) => spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim())
  .find((path) => path !== '');

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', '--disable-gpu'] });

/** A command that a page which did not escape it would run. */
export const hostile = '<img src=x onerror="document.title=1">';

export interface ShownCluster extends AsyncDisposable {
  /** Of each node's page; the leader's first. */
  readonly urls: readonly string[];
  /** At the leader. */
  readonly client: RespClient;
  /** Writes and reads for a while. */
  load(milliseconds: number): Promise<void>;
  /** Ends the last of the others. */
  killOne(): Promise<void>;
}

export async function showCluster(token?: string): Promise<ShownCluster> {
  const cluster = await Redraft.cluster(3, { configuration: { 'slowlog-log-slower-than': '2000' } });
  const leader = await cluster.leader();
  const nodes = [leader, ...cluster.nodes.filter((node) => node !== leader)];
  const page = readFileSync(join(root, 'src/http/status.html'), 'utf8');
  const log = createLog('quiet', () => {});
  const doors: HttpDoor[] = [];
  for (const { server } of nodes) {
    const door = await HttpDoor.open({ host: '127.0.0.1', port: 0, token, tls: undefined, page, log });
    door.show(server);
    doors.push(door);
  }
  const client = await RespClient.connect({ host: '127.0.0.1', port: leader.port });
  await client.call('CLIENT', 'SETNAME', 'shop-checkout');
  const call = (...args: string[]): Promise<unknown> => client.call(...args);
  await call('SADD', 'tags', ...Array.from({ length: 300 }, (_, i) => `tag ${i}`));
  await call('ZADD', 'board', ...Array.from({ length: 500 }, (_, i) => [`${i}`, `player ${i}`]).flat());
  await call('HSET', 'user:1', 'name', 'Ann', 'mail', 'ann@example.org');
  await call('SET', `photo ${hostile}`, 'x'.repeat(40_000));
  await call('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
  await call('ECHO', hostile);
  await call('CONFIG', 'SET', 'slowlog-log-slower-than', '2000');
  return {
    urls: doors.map(({ port }) => `http://127.0.0.1:${port}`),
    client,
    load: async (milliseconds) => {
      const until = performance.now() + milliseconds;
      for (let i = 0; performance.now() < until; i++) {
        const burst = 20 + (i % 7) * 10;
        await Promise.all(
          Array.from({ length: burst }, (_, j) =>
            j % 3 === 0 ? call('SET', `order:${i % 500}`, `${i}`) : call('GET', `order:${j}`),
          ),
        );
      }
    },
    killOne: () => cluster.kill(cluster.nodes.indexOf(nodes[2]!)),
    [Symbol.asyncDispose]: async () => {
      await client.close();
      for (const door of doors) door.close();
      await cluster.stop();
    },
  };
}
