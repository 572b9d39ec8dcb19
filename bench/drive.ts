/** One round of a workload against one server. */
import { spawn } from 'node:child_process';
import { createHistogram } from 'node:perf_hooks';
import { PipelinedClient } from './pipelined-client.js';
import type { Workload } from './workloads.js';

export interface Round {
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Runs `requests` of a workload over `clients` connections with `pipeline` requests in flight on each. */
export function drive(
  port: number,
  workload: Workload,
  clients: number,
  pipeline: number,
  requests: number,
): Promise<Round> {
  return workload.mix === undefined
    ? redisBenchmark(port, workload, clients, pipeline, requests)
    : ownClient(port, workload.mix, clients, pipeline, requests);
}

async function redisBenchmark(
  port: number,
  { test, command, keys, valueBytes }: Workload,
  clients: number,
  pipeline: number,
  requests: number,
): Promise<Round> {
  const options = { p: port, c: clients, P: pipeline, n: requests, r: keys, d: valueBytes ?? 16 };
  const args = Object.entries(options).flatMap(([flag, value]) => [`-${flag}`, `${value}`]);
  args.push('--csv', ...(test === undefined ? command! : ['-t', test]));
  const child = spawn('redis-benchmark', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  // "test","rps","avg","min","p50","p95","p99","max", then a line of values.
  const lines = output.trim().split('\n');
  const values = (lines.at(-1) ?? '').split('","').map((text) => Number(text.replaceAll('"', '')));
  if (code !== 0 || lines.length < 2 || !(values[1] > 0))
    throw new Error(`redis-benchmark failed: ${output}`);
  return { requestsPerSecond: values[1], p50Ms: values[4], p99Ms: values[6] };
}

async function ownClient(
  port: number,
  mix: NonNullable<Workload['mix']>,
  clients: number,
  pipeline: number,
  requests: number,
): Promise<Round> {
  const random = seededRandom(requests);
  const latencies = createHistogram();
  const connections = await Promise.all(Array.from({ length: clients }, () => PipelinedClient.connect(port)));
  const began = performance.now();
  await Promise.all(
    connections.map((connection) =>
      connection.run(
        Math.ceil(requests / clients),
        pipeline,
        () => mix(random),
        (latencyUs) => latencies.record(Math.max(1, Math.round(latencyUs))),
      ),
    ),
  );
  const seconds = (performance.now() - began) / 1000;
  for (const connection of connections) connection.close();
  return {
    requestsPerSecond: (Math.ceil(requests / clients) * clients) / seconds,
    p50Ms: latencies.percentile(50) / 1000,
    p99Ms: latencies.percentile(99) / 1000,
  };
}

/** Numbers in [0, 1), the same in each run (Park and Miller, 1988). */
export function seededRandom(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}
