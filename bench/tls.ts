/**
 * `npm run bench:tls`: SET and GET over TLS, Redraft beside redis-server, by redis-benchmark, in turn. Needs
 * openssl, and a redis-server and a redis-benchmark that speak TLS. Prints a table of thousands of commands a
 * second.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
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

/** Thousands of SETs and GETs a second. Redraft runs in this process: nothing may wait for the benchmark. */
async function measure(port: number, pipeline: number): Promise<number[]> {
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
  const load = [
    '-t',
    'set,get',
    '-n',
    `${requests}`,
    '-P',
    `${pipeline}`,
    '-c',
    '50',
    '-d',
    '16',
    '-r',
    '100000',
    '--csv',
  ];
  const child = spawn('redis-benchmark', [...flags, ...load], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'close');
  return ['SET', 'GET'].map((name) => Number(new RegExp(`"${name}","([\\d.]+)"`).exec(output)?.[1]) / 1000);
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
  console.log('| | P | SET | GET |\n|---|---|---|---|');
  for (const pipeline of [1, 16]) {
    const best = new Map<string, number[]>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, port] of [
        ['redis-server', redisPort],
        ['redraft', redraft.port],
      ] as const) {
        const measured = await measure(port, pipeline);
        const before = best.get(name) ?? [0, 0];
        best.set(
          name,
          measured.map((value, i) => Math.max(value, before[i]!)),
        );
      }
    }
    for (const [name, [set, get]] of best)
      console.log(`| ${name} | ${pipeline} | ${set!.toFixed(0)}k | ${get!.toFixed(0)}k |`);
  }
} finally {
  redis.kill('SIGTERM');
  await redraft.stop();
  rmSync(root, { recursive: true, force: true });
}
