/** Plots as SVG, for docs/: throughput as bars, latency as curves over percentiles. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Comparison } from './compare.js';
import { PipelinedClient, padded } from './pipelined-client.js';
import { short } from './statistics.js';

const OURS = '#2f6fde';
const THEIRS = '#c9482b';
const INK = '#444';

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function svg(width: number, height: number, title: string, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="22" font-size="15" fill="${INK}">${escaped(title)}</text>`,
    `<rect x="${width - 190}" y="12" width="12" height="12" fill="${OURS}"/><text x="${width - 173}" y="22" fill="${INK}">Redraft</text>`,
    `<rect x="${width - 110}" y="12" width="12" height="12" fill="${THEIRS}"/><text x="${width - 93}" y="22" fill="${INK}">redis-server</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

/** Requests a second of both servers, a pair of bars for each comparison. */
export function throughputBars(title: string, comparisons: readonly Comparison[]): string {
  const rowHeight = 40;
  const left = 210;
  const width = 760;
  const scale =
    (width - left - 80) /
    Math.max(...comparisons.flatMap((c) => [c.ours.requestsPerSecond, c.theirs.requestsPerSecond]));
  const body = comparisons.flatMap((comparison, row) => {
    const top = 44 + row * rowHeight;
    const label = `${comparison.workload}, c=${comparison.clients} P=${comparison.pipeline}`;
    return [
      `<text x="${left - 8}" y="${top + 18}" text-anchor="end" fill="${INK}">${escaped(label)}</text>`,
      ...([comparison.ours, comparison.theirs] as const).flatMap(({ requestsPerSecond }, i) => {
        const length = (requestsPerSecond * scale).toFixed(1);
        const y = top + i * 15;
        return [
          `<rect x="${left}" y="${y}" width="${length}" height="13" fill="${i === 0 ? OURS : THEIRS}"/>`,
          `<text x="${left + Number(length) + 5}" y="${y + 11}" fill="${INK}">${short(requestsPerSecond)}</text>`,
        ];
      }),
    ];
  });
  return svg(width, 56 + comparisons.length * rowHeight, title, body);
}

/** Latencies in microseconds of SETs without pipelining, from an HdrHistogram. */
export async function recordLatencies(
  port: number,
  clients: number,
  requests: number,
): Promise<RecordableHistogram> {
  const histogram = createHistogram();
  const connections = await Promise.all(Array.from({ length: clients }, () => PipelinedClient.connect(port)));
  await Promise.all(
    connections.map((connection, number) =>
      connection.run(
        Math.ceil(requests / clients),
        1,
        (i) => ['SET', `key:${padded(number * requests + i)}`, 'v'.repeat(16)],
        (latencyUs) => histogram.record(Math.max(1, Math.round(latencyUs))),
      ),
    ),
  );
  for (const connection of connections) connection.close();
  return histogram;
}

/** Latency over percentiles, which are spread as 1 / (1 - p), so that the tail has room. */
export function latencyCurves(title: string, ours: RecordableHistogram, theirs: RecordableHistogram): string {
  const width = 760;
  const height = 380;
  const left = 70;
  const bottom = height - 50;
  const percentiles = [0, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99];
  const x = (p: number): number => left + (Math.log10(100 / (100 - p)) / 4) * (width - left - 30);
  const highest = Math.max(...[ours, theirs].map((histogram) => histogram.percentile(99.99)));
  const y = (us: number): number => bottom - (us / highest) * (bottom - 50);
  const body: string[] = [];
  for (const p of percentiles) {
    body.push(
      `<line x1="${x(p)}" y1="${bottom}" x2="${x(p)}" y2="50" stroke="#eee"/>`,
      `<text x="${x(p)}" y="${bottom + 18}" text-anchor="middle" font-size="10" fill="${INK}">${p === 0 ? '' : p}</text>`,
    );
  }
  for (let step = 0; step <= 4; step++) {
    const us = (highest / 4) * step;
    body.push(
      `<text x="${left - 8}" y="${y(us) + 4}" text-anchor="end" fill="${INK}">${(us / 1000).toFixed(2)} ms</text>`,
    );
  }
  for (const [histogram, colour] of [
    [ours, OURS],
    [theirs, THEIRS],
  ] as const) {
    const points: string[] = [];
    for (let decade = 0; decade <= 4; decade += 0.02) {
      const p = Math.max(0.01, 100 - 100 / 10 ** decade);
      points.push(`${x(p).toFixed(1)},${y(histogram.percentile(p)).toFixed(1)}`);
    }
    body.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
  }
  body.push(
    `<text x="${width / 2}" y="${height - 12}" text-anchor="middle" fill="${INK}">percentile of requests</text>`,
  );
  return svg(width, height, title, body);
}
