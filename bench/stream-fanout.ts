/**
 * `npm run bench:stream-fanout -- [--readers 5000] [--rounds 20]`: one entry of a stream for thousands of
 * clients that wait for it with XREAD BLOCK, Redraft beside redis-server: until the last of them has it, and
 * what it costs the server.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from './documents.js';
import { PipelinedClient } from './pipelined-client.js';
import { type Mode, processorUs, type ServerName, startServer } from './servers.js';
import { median, table } from './statistics.js';

const { values } = parseArgs({
  options: { readers: { type: 'string', default: '5000' }, rounds: { type: 'string', default: '20' } },
});
const readers = Number(values.readers);
const rounds = Number(values.rounds);

interface Measured {
  /** From XADD to the last reader's reply. */
  readonly lastMs: number;
  /** Processor time for each reader: its request, its wait and its reply. */
  readonly cpuUs: number;
}

async function measure(name: ServerName, mode: Mode): Promise<Measured> {
  const server = await startServer(name, mode, { extra: ['--maxclients', '12000'] });
  const writer = await PipelinedClient.connect(server.port);
  const child = fork(join(import.meta.dirname, 'stream-readers.js'), [`${server.port}`, `${readers}`]);
  await once(child, 'message');
  const waiting = `blocked_clients:${readers}\r`;
  const times: number[] = [];
  let cpuBefore = 0;
  for (let round = -1; round < rounds; round++) {
    // The first round warms up.
    if (round === 0) cpuBefore = processorUs(server.pid);
    child.send('ask');
    while (!(await writer.send(['INFO', 'clients'])).includes(waiting))
      await new Promise((resolve) => setTimeout(resolve, 20));
    const began = performance.now();
    const done = once(child, 'message');
    await writer.send(['XADD', 'news', '*', 'title', 'x'.repeat(50)]);
    await done;
    if (round >= 0) times.push(performance.now() - began);
  }
  const cpuUs = (processorUs(server.pid) - cpuBefore) / (rounds * readers);
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
  writer.close();
  await server.stop();
  return { lastMs: median(times), cpuUs };
}

const rows = [[`${readers} readers of one stream`, 'last has the entry: ms', 'CPU us a reader']];
for (const [name, mode, label] of [
  ['redis', 'memory', 'redis-server'],
  ['redraft', 'memory', 'Redraft'],
  ['redraft', 'durable', 'Redraft, durable'],
] as const) {
  const { lastMs, cpuUs } = await measure(name, mode);
  rows.push([label, lastMs.toFixed(1), cpuUs.toFixed(1)]);
}
console.log(`${machine()}\n\n${table(rows)}`);
process.exit(0);
