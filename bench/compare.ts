/**
 * The two servers side by side: the same load on each in turn, A B A B, so that whatever else the machine
 * does meets both.
 */
import { drive, type Round } from './drive.js';
import { type Mode, processorUs, type RunningServer, startServer } from './servers.js';
import { median, short } from './statistics.js';
import type { Workload } from './workloads.js';

export interface Cell {
  readonly workload: Workload;
  readonly clients: number;
  readonly pipeline: number;
}

/**
 * A round, and what the server's process spent on each request: less at the mercy of what else the machine
 * does.
 */
interface ServerRound extends Round {
  readonly processorUs: number;
}

export interface Comparison {
  readonly mode: Mode;
  readonly workload: string;
  readonly clients: number;
  readonly pipeline: number;
  readonly redraft: ServerRound;
  readonly redis: ServerRound;
  /** Median of the rounds' ratios of throughput, Redraft to Redis. */
  readonly ratio: number;
  /** Of the medians: above 1, Redraft's tail is the longer. */
  readonly p99Ratio: number;
  readonly rounds: readonly { readonly redraft: ServerRound; readonly redis: ServerRound }[];
}

function medianRound(rounds: readonly ServerRound[]): ServerRound {
  return {
    requestsPerSecond: median(rounds.map((round) => round.requestsPerSecond)),
    p50Ms: median(rounds.map((round) => round.p50Ms)),
    p99Ms: median(rounds.map((round) => round.p99Ms)),
    processorUs: median(rounds.map((round) => round.processorUs)),
  };
}

/** Runs every cell against a fresh pair of servers for each workload. `report` is called as results come. */
export async function compare(
  mode: Mode,
  cells: readonly Cell[],
  rounds: number,
  secondsARound: number,
  report: (comparison: Comparison) => void,
): Promise<Comparison[]> {
  const results: Comparison[] = [];
  let servers: RunningServer[] = [];
  let current: Workload | undefined;
  try {
    for (const cell of cells) {
      if (cell.workload !== current) {
        await Promise.all(servers.map((server) => server.stop()));
        servers = [];
        for (const name of ['redraft', 'redis'] as const) {
          const server = await startServer(name, mode);
          servers.push(server);
          await cell.workload.prepare?.(server.port);
        }
        current = cell.workload;
      }
      const [redraft, redis] = servers;
      const comparison = await compareCell(mode, cell, redraft, redis, rounds, secondsARound);
      results.push(comparison);
      report(comparison);
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  return results;
}

async function compareCell(
  mode: Mode,
  { workload, clients, pipeline }: Cell,
  redraft: RunningServer,
  redis: RunningServer,
  count: number,
  seconds: number,
): Promise<Comparison> {
  const requests = new Map<RunningServer, number>();
  // How many requests fill a round; it also warms the server up.
  for (const server of [redraft, redis]) {
    const trial = Math.min(workload.requestsMax ?? Number.POSITIVE_INFINITY, 4000 * Math.min(pipeline, 16));
    const { requestsPerSecond } = await drive(server.port, workload, clients, pipeline, trial);
    const wanted = Math.round(requestsPerSecond * seconds);
    requests.set(server, Math.max(clients * pipeline * 4, Math.min(workload.requestsMax ?? wanted, wanted)));
  }
  const rounds: { redraft: ServerRound; redis: ServerRound }[] = [];
  for (let round = 0; round < count; round++) {
    const run = async (server: RunningServer): Promise<ServerRound> => {
      const wanted = requests.get(server)!;
      const before = processorUs(server.pid);
      const result = await drive(server.port, workload, clients, pipeline, wanted);
      return { ...result, processorUs: (processorUs(server.pid) - before) / wanted };
    };
    rounds.push({ redraft: await run(redraft), redis: await run(redis) });
  }
  const ours = medianRound(rounds.map((round) => round.redraft));
  const theirs = medianRound(rounds.map((round) => round.redis));
  return {
    mode,
    workload: workload.name,
    clients,
    pipeline,
    redraft: ours,
    redis: theirs,
    ratio: median(rounds.map((round) => round.redraft.requestsPerSecond / round.redis.requestsPerSecond)),
    p99Ratio: ours.p99Ms / theirs.p99Ms,
    rounds,
  };
}

export const comparisonHead = [
  'workload',
  'c',
  'P',
  'Redraft/s',
  'Redis/s',
  'ratio',
  'p50 ms',
  'Redis p50',
  'p99 ms',
  'Redis p99',
  'p99 ratio',
  'CPU us',
  'Redis CPU us',
];

export function comparisonRow(result: Comparison): string[] {
  const { redraft, redis } = result;
  const ms = (value: number): string => value.toFixed(2);
  return [
    result.workload,
    `${result.clients}`,
    `${result.pipeline}`,
    short(redraft.requestsPerSecond),
    short(redis.requestsPerSecond),
    result.ratio.toFixed(2),
    ms(redraft.p50Ms),
    ms(redis.p50Ms),
    ms(redraft.p99Ms),
    ms(redis.p99Ms),
    result.p99Ratio.toFixed(2),
    ms(redraft.processorUs),
    ms(redis.processorUs),
  ];
}
