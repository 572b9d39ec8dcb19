/**
 * `npm run bench:observed`: what it costs to be watched: commands a second and processor time of a node that
 * nobody watches, and of one whose metrics are scraped each second; and how long starts take. Rounds are
 * taken in turn, on servers that run side by side.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { drive } from './drive.js';
import { freePort, processorUs, type RunningServer, startServer } from './servers.js';
import { median, short, table } from './statistics.js';
import type { Workload } from './workloads.js';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    requests: { type: 'string', default: '300000' },
    starts: { type: 'string', default: '15' },
  },
});
const rounds = Number(options.rounds);
const requests = Number(options.requests);
const starts = Number(options.starts);

const workloads = ['set', 'get'].map((test) => ({ name: test, test, keys: 100_000 }) as unknown as Workload);

/** Scrapes once a second until it is told to stop. Resolves with what a scrape took, in milliseconds. */
async function scrape(port: number, signal: AbortSignal): Promise<number[]> {
  const took: number[] = [];
  while (!signal.aborted) {
    const began = performance.now();
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    if (!(await response.text()).includes('redraft_uptime_seconds')) throw new Error('no metrics');
    took.push(performance.now() - began);
    await delay(1000, undefined, { signal }).catch(() => {});
  }
  return took;
}

interface Figures {
  readonly perSecond: number[];
  readonly microseconds: number[];
}

async function measure(server: RunningServer, workload: Workload, figures: Figures): Promise<void> {
  const before = processorUs(server.pid);
  const { requestsPerSecond } = await drive(server.port, workload, 50, 16, requests);
  figures.perSecond.push(requestsPerSecond);
  figures.microseconds.push((processorUs(server.pid) - before) / requests);
}

async function compareLoad(): Promise<void> {
  const httpPort = await freePort();
  const off = await startServer('redraft', 'memory');
  const on = await startServer('redraft', 'memory', { extra: ['--http', `${httpPort}`] });
  const rows = [['', 'off', 'scraped each second', 'ratio', 'CPU off, us', 'CPU scraped, us', 'ratio']];
  const scrapes: number[] = [];
  for (const workload of workloads) {
    const figures = [off, on].map(() => ({ perSecond: [], microseconds: [] }) as Figures);
    for (let round = -1; round < rounds; round++) {
      // The first warms up. Who goes first changes, since the machine may be slower at times.
      for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const kept = round < 0 ? { perSecond: [], microseconds: [] } : figures[which];
        if (which === 0) {
          await measure(off, workload, kept);
          continue;
        }
        const stop = new AbortController();
        const scraping = scrape(httpPort, stop.signal);
        await measure(on, workload, kept);
        stop.abort();
        scrapes.push(...(await scraping));
      }
    }
    const [[a, b], [c, d]] = [
      figures.map(({ perSecond }) => median(perSecond)),
      figures.map(({ microseconds }) => median(microseconds)),
    ];
    rows.push([
      workload.test!.toUpperCase(),
      short(a),
      short(b),
      (b / a).toFixed(3),
      c.toFixed(2),
      d.toFixed(2),
      (d / c).toFixed(3),
    ]);
  }
  await off.stop();
  await on.stop();
  console.log(table(rows));
  console.log(
    `\n${scrapes.length} scrapes, ${median(scrapes).toFixed(1)} ms each under this load (median)\n`,
  );
}

async function compareStarts(): Promise<void> {
  const kinds: readonly (readonly [string, readonly string[]])[] = [
    ['plain', []],
    ['--http 0', ['--http', '0']],
    ['--log-format json', ['--log-format', 'json']],
  ];
  const took = kinds.map((): number[] => []);
  for (let start = -1; start < starts; start++)
    for (const [i, [, extra]] of kinds.entries()) {
      const server = await startServer('redraft', 'memory', { extra });
      if (start >= 0) took[i].push(server.startMs);
      await server.stop();
    }
  const rows = kinds.map(([name], i) => [name, median(took[i]).toFixed(0), Math.min(...took[i]).toFixed(0)]);
  console.log(table([['ms to the first reply', 'median', 'best'], ...rows]));
}

if (rounds > 0) await compareLoad();
if (starts > 0) await compareStarts();
