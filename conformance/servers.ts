/**
 * Starts the servers that conformance work needs: the real one, Redraft, or neither when told where one
 * listens.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ReplyClient } from './client.js';

/** A server to talk to. */
export interface RunningServer {
  name: string;
  connect(): Promise<ReplyClient>;
  host: string;
  port: number;
  /** Ends the server, if it was started here. */
  stop(): Promise<void>;
}

/** A free port on 127.0.0.1, or the next free one from `first` on when given. */
async function freePort(first?: number): Promise<number> {
  const attempt = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const server = createServer();
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
      });
    });
  if (first === undefined) return attempt(0);
  for (let port = first; port < first + 20; port++) {
    try {
      return await attempt(port);
    } catch {
      // Taken: the next one.
    }
  }
  throw new Error(`no free port from ${first} to ${first + 19}`);
}

function environmentPort(): number | undefined {
  const text = process.env.CONFORMANCE_PORT;
  return text === undefined ? undefined : Number(text);
}

async function startProcess(
  name: string,
  command: string,
  makeArguments: (port: number, dir: string) => string[],
): Promise<RunningServer> {
  const port = await freePort(environmentPort());
  const dir = mkdtempSync(join(tmpdir(), 'conformance-'));
  const child: ChildProcess = spawn(command, makeArguments(port, dir), { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout!.on('data', keep);
  child.stderr!.on('data', keep);
  let exited: string | undefined;
  child.once('error', (error) => {
    exited = error.message;
  });
  child.once('exit', (code, signal) => {
    exited ??= `exit ${code ?? signal}`;
  });
  const endWithParent = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', endWithParent);
  const stop = async (): Promise<void> => {
    process.removeListener('exit', endWithParent);
    if (exited === undefined) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    rmSync(dir, { recursive: true, force: true });
  };
  const deadline = performance.now() + 15_000;
  for (;;) {
    if (exited !== undefined || performance.now() > deadline) {
      await stop();
      throw new Error(`${name} did not start (${exited ?? 'not ready after 15 s'}):\n${output}`);
    }
    try {
      const client = await ReplyClient.connect(port);
      const reply = await client.call(['PING'], 2_000);
      client.close();
      if (reply.type === 'simple')
        return { name, host: '127.0.0.1', port, connect: () => ReplyClient.connect(port), stop };
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether redis-server is installed here, and which. */
export function installedRedisVersion(): string | undefined {
  const result = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  return result.status === 0 ? /v=(\S+)/.exec(result.stdout)?.[1] : undefined;
}

/**
 * Starts a real redis-server without persistence, with its DEBUG command enabled; as a cluster of one that
 * owns all slots, if told so. `flags` come last.
 */
export async function startRedis(isCluster = false, flags: readonly string[] = []): Promise<RunningServer> {
  if (installedRedisVersion() === undefined) {
    throw new Error('redis-server is not installed (Debian: apt-get install redis-server)');
  }
  const server = await startProcess('redis-server', 'redis-server', (port, dir) => [
    ...[
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--daemonize',
      'no',
    ],
    ...['--dir', dir, '--enable-debug-command', 'yes', '--loglevel', 'warning'],
    ...['--cluster-enabled', isCluster ? 'yes' : 'no', ...flags],
  ]);
  if (isCluster) await ownAllSlots(server);
  return server;
}

/** Until all slots have an owner, the cluster answers -CLUSTERDOWN. */
async function ownAllSlots(server: RunningServer): Promise<void> {
  const client = await server.connect();
  await client.call(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383'], 2_000);
  const deadline = performance.now() + 15_000;
  for (;;) {
    const reply = await client.call(['CLUSTER', 'INFO'], 2_000);
    if (JSON.stringify(reply).includes('cluster_state:ok')) break;
    if (performance.now() > deadline) throw new Error('redis-server: the cluster is not ok after 15 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  client.close();
}

/** Starts a Redraft in a process of its own, in memory; as a node of a Redis Cluster, if told so. */
export function startRedraft(isCluster = false): Promise<RunningServer> {
  const program = fileURLToPath(new URL('./redraft-process.js', import.meta.url));
  return startProcess('redraft', process.execPath, (port) => [
    program,
    String(port),
    ...(isCluster ? ['cluster'] : []),
  ]);
}

/**
 * The server that `--target` names: `redraft` (started here), `redis` (a redis-server started here) or
 * `host:port`.
 * @throws Error for anything else
 */
export async function openTarget(target: string, isCluster = false): Promise<RunningServer> {
  if (target === 'redraft') return startRedraft(isCluster);
  if (target === 'redis') return startRedis(isCluster);
  const match = /^(.+):(\d+)$/.exec(target);
  if (!match || Number(match[2]) > 65535) {
    throw new Error(`--target ${target}: expected redraft, redis or host:port`);
  }
  const [, host, port] = match;
  const connect = (): Promise<ReplyClient> => ReplyClient.connect(Number(port), host);
  (await connect()).close();
  return { name: target, host: host!, port: Number(port), connect, stop: async () => {} };
}
