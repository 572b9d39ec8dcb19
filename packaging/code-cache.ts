/** Makes V8's code cache of the parts that every start loads, with what a start and its first requests have compiled. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { parseCommandLine } from '../src/command-line.js';
import type { ServerOrder, ServerReport } from '../src/launcher.js';
import type { ServeOptions } from '../src/options.js';
import { RespClient } from '../src/resp/client.js';
import { bundleFiles, compile, run } from './loader.js';

/** Requests of clients that have just connected. */
const requests = [
  ['HELLO', '2'],
  ['CLIENT', 'SETNAME', 'a'],
  ['PING'],
  ['SET', 'k', 'v'],
  ['GET', 'k'],
  ['INFO'],
];

/** Runs the program's parts once and writes a cache beside each. */
export async function cacheCode(folder: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'redraft-build-'));
  try {
    const options = cacheCommandLine(folder, ['--port', '0', '--dir', dir]);
    await cacheServer(folder, options);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function cacheCommandLine(folder: string, args: readonly string[]): ServeOptions {
  const name = 'command-line';
  const script = compile(folder, name);
  const exported = run(script, folder, name, createRequire(join(folder, 'main.js'))) as {
    parseCommandLine: typeof parseCommandLine;
  };
  const command = exported.parseCommandLine(args, {});
  if (command.kind !== 'serve') throw new Error(`${args.join(' ')} does not serve`);
  writeFileSync(bundleFiles(folder, name).cache, script.createCachedData());
  return command.options;
}

async function cacheServer(folder: string, options: ServeOptions): Promise<void> {
  const { port1: port, port2 } = new MessageChannel();
  const worker = new Worker(new URL('./server-to-cache.js', import.meta.url), {
    workerData: { folder, port: port2 },
    transferList: [port2],
  });
  const order = (message: ServerOrder): void => worker.postMessage(message);
  const address = new Promise<string>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (report: ServerReport) => {
      if (report.kind === 'failure') reject(new Error(report.line));
      const serves = report.kind === 'log' ? / serves (\S+):(\d+),/.exec(report.line) : null;
      if (serves !== null) resolve(serves[2]);
    });
  });
  order({ kind: 'start', options });
  const client = await RespClient.connect({ host: '127.0.0.1', port: Number(await address) });
  for (const request of requests) await client.call(...request);
  await client.close();
  const exited = once(worker, 'exit');
  const cached = once(port, 'message');
  port.postMessage('cache');
  await cached;
  order({ kind: 'stop', reason: 'built' });
  await exited;
  port.close();
}
