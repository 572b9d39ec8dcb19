/**
 * `npm run bench:tls`: SET and GET over TLS, Redraft beside redis-server, by redis-benchmark, in turn. Needs
 * openssl, and a redis-server and a redis-benchmark that speak TLS. Prints a table of thousands of commands a
 * second, and of what a command takes of the server's CPU, in microseconds.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redraft } from '../src/index.js';

const ROUNDS = 3;
const host = '127.0.0.1';
const root = mkdtempSync(join(tmpdir(), 'redraft-bench-tls-'));
const [keyFile, certFile] = [join(root, 'node.key'), join(root, 'node.crt')];

function openssl(...args: string[]): void {
  if (spawnSync('openssl', args).status !== 0) throw new Error(`openssl ${args[0]} failed`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** Waits until somebody listens. */
async function listens(port: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const socket = connect(port, host);
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('redis-server does not listen');
}

/** Ticks of the clock in which the system counts CPU time. */
const TICKS_PER_SECOND = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout);

/** What a process has used of the CPU, in seconds (proc(5): utime and stime). */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number) as [
    number,
    number,
  ];
  return (user + system) / TICKS_PER_SECOND;
}

interface Measured {
  readonly name: string;
  readonly thousands: number;
  readonly cpuMicroseconds: number;
}

/** SETs, then GETs. Redraft runs in this process: nothing may wait for the benchmark. */
async function measure(port: number, pid: number, pipeline: number): Promise<Measured[]> {
  const flags = [
    '-h',
    host,
    '-p',
    `${port}`,
    '--tls',
    '--cacert',
    certFile,
    '--cert',
    certFile,
    '--key',
    keyFile,
  ];
  const requests = pipeline === 1 ? 30_000 : 200_000;
  const measured: Measured[] = [];
  for (const name of ['SET', 'GET']) {
    const load = ['-t', name.toLowerCase(), '-n', `${requests}`, '-P', `${pipeline}`, '-c', '50'];
    const size = ['-d', '16', '-r', '100000', '--csv'];
    const before = cpuSeconds(pid);
    const child = spawn('redis-benchmark', [...flags, ...load, ...size], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await once(child, 'close');
    measured.push({
      name,
      thousands: Number(new RegExp(`"${name}","([\\d.]+)"`).exec(output)?.[1]) / 1000,
      cpuMicroseconds: ((cpuSeconds(pid) - before) / requests) * 1e6,
    });
  }
  return measured;
}

openssl(
  ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', keyFile, '-out', certFile],
  ...['-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'],
);
const redraft = await Redraft.start({ tls: { certFile, keyFile, caCertFile: certFile } });
const redisPort = await freePort();
const redis = spawn(
  'redis-server',
  [
    ...['--port', '0', '--tls-port', `${redisPort}`, '--save', '', '--appendonly', 'no', '--dir', root],
    ...['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile],
  ],
  { stdio: 'ignore' },
);
try {
  await listens(redisPort);
  console.log('| | P | SET | CPU us | GET | CPU us |\n|---|---|---|---|---|---|');
  for (const pipeline of [1, 16]) {
    /** Of each server and command the fastest, and the least CPU. */
    const best = new Map<string, Measured[]>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [server, port, pid] of [
        ['redis-server', redisPort, redis.pid!],
        ['redraft', redraft.port, process.pid],
      ] as const) {
        const before = best.get(server);
        const measured = await measure(port, pid, pipeline);
        best.set(
          server,
          measured.map(({ name, thousands, cpuMicroseconds }, i) => ({
            name,
            thousands: Math.max(thousands, before?.[i]?.thousands ?? 0),
            cpuMicroseconds: Math.min(
              cpuMicroseconds,
              before?.[i]?.cpuMicroseconds ?? Number.POSITIVE_INFINITY,
            ),
          })),
        );
      }
    }
    for (const [server, measured] of best) {
      const cells = measured.map(
        ({ thousands, cpuMicroseconds }) => `${thousands.toFixed(0)}k | ${cpuMicroseconds.toFixed(1)}`,
      );
      console.log(`| ${server} | ${pipeline} | ${cells.join(' | ')} |`);
    }
  }
} finally {
  redis.kill('SIGTERM');
  await redraft.stop();
  rmSync(root, { recursive: true, force: true });
}
