/**
 * The two servers side by side: the same load on each in turn, A B A B, so that whatever else the machine
 * does meets both.
 */
import { drive, type Round } from './drive.js';
import { type Mode, type RunningServer, startServer, type ThreadTime, threadTimes } from './servers.js';
import { median, short } from './statistics.js';
import type { Workload } from './workloads.js';

export interface Cell {
  readonly workload: Workload;
  readonly clients: number;
  readonly pipeline: number;
}

/**
 * A round, and what the server's busiest thread spent on each request, in its own code and in the kernel's:
 * less at the mercy of what else the machine does.
 */
export interface ServerRound extends Round {
  readonly userUs: number;
  readonly systemUs: number;
}

export interface Comparison {
  readonly mode: Mode;
  readonly workload: string;
  readonly clients: number;
  readonly pipeline: number;
  readonly ours: ServerRound;
  readonly theirs: ServerRound;
  /** Median of the rounds' ratios of throughput, ours to theirs. */
  readonly ratio: number;
  /** Of the medians: above 1, our tail is the longer. */
  readonly p99Ratio: number;
  readonly rounds: readonly { readonly ours: ServerRound; readonly theirs: ServerRound }[];
}

function medianRound(rounds: readonly ServerRound[]): ServerRound {
  return {
    requestsPerSecond: median(rounds.map((round) => round.requestsPerSecond)),
    p50Ms: median(rounds.map((round) => round.p50Ms)),
    p99Ms: median(rounds.map((round) => round.p99Ms)),
    userUs: median(rounds.map((round) => round.userUs)),
    systemUs: median(rounds.map((round) => round.systemUs)),
  };
}

/** Starts one of two servers that are compared. */
export type Starter = (mode: Mode) => Promise<RunningServer>;

/** Redraft beside a redis-server, or beside whatever speaks and starts as it does. */
export function besideRedis(program?: string): readonly [Starter, Starter] {
  return [(mode) => startServer('redraft', mode), (mode) => startServer('redis', mode, { program })];
}

/**
 * Runs every cell against a fresh pair of servers, ours and theirs, for each workload. `report` is called as
 * results come.
 */
export async function compare(
  mode: Mode,
  pair: readonly [Starter, Starter],
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
        for (const start of pair) {
          const server = await start(mode);
          servers.push(server);
          await cell.workload.prepare?.(server.port);
        }
        current = cell.workload;
      }
      const [ours, theirs] = servers;
      const comparison = await compareCell(mode, cell, ours, theirs, rounds, secondsARound);
      results.push(comparison);
      report(comparison);
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  return results;
}

/** What the thread that used most of the processor meanwhile used. */
function busiest(before: readonly ThreadTime[], after: readonly ThreadTime[]): ThreadTime {
  const used = after.map((now) => {
    const then = before.find(({ id }) => id === now.id) ?? { userUs: 0, systemUs: 0 };
    return { id: now.id, userUs: now.userUs - then.userUs, systemUs: now.systemUs - then.systemUs };
  });
  return used.reduce((most, one) => (one.userUs + one.systemUs > most.userUs + most.systemUs ? one : most));
}

async function compareCell(
  mode: Mode,
  { workload, clients, pipeline }: Cell,
  ours: RunningServer,
  theirs: RunningServer,
  count: number,
  seconds: number,
): Promise<Comparison> {
  const requests = new Map<RunningServer, number>();
  // How many requests fill a round; it also warms the server up.
  for (const server of [ours, theirs]) {
    const trial = Math.min(workload.requestsMax ?? Number.POSITIVE_INFINITY, 4000 * Math.min(pipeline, 16));
    const { requestsPerSecond } = await drive(server.port, workload, clients, pipeline, trial);
    const wanted = Math.round(requestsPerSecond * seconds);
    requests.set(server, Math.max(clients * pipeline * 4, Math.min(workload.requestsMax ?? wanted, wanted)));
  }
  const rounds: { ours: ServerRound; theirs: ServerRound }[] = [];
  for (let round = 0; round < count; round++) {
    const run = async (server: RunningServer): Promise<ServerRound> => {
      const wanted = requests.get(server)!;
      const before = threadTimes(server.pid);
      const result = await drive(server.port, workload, clients, pipeline, wanted);
      const { userUs, systemUs } = busiest(before, threadTimes(server.pid));
      return { ...result, userUs: userUs / wanted, systemUs: systemUs / wanted };
    };
    // Whoever comes second in one round comes first in the next.
    if (round % 2 === 0) rounds.push({ ours: await run(ours), theirs: await run(theirs) });
    else {
      const second = await run(theirs);
      rounds.push({ ours: await run(ours), theirs: second });
    }
  }
  const ourMedian = medianRound(rounds.map((round) => round.ours));
  const theirMedian = medianRound(rounds.map((round) => round.theirs));
  return {
    mode,
    workload: workload.name,
    clients,
    pipeline,
    ours: ourMedian,
    theirs: theirMedian,
    ratio: median(rounds.map((round) => round.ours.requestsPerSecond / round.theirs.requestsPerSecond)),
    p99Ratio: ourMedian.p99Ms / theirMedian.p99Ms,
    rounds,
  };
}

/** The head of a table of {@link comparisonRow}s. */
export function comparisonHead(theirs = 'Redis'): string[] {
  return [
    ...['workload', 'c', 'P', 'Redraft/s', `${theirs}/s`, 'ratio'],
    ...['p50 ms', `${theirs} p50`, 'p99 ms', `${theirs} p99`, 'p99 ratio'],
    ...['thread us', `${theirs} thread us`],
  ];
}

export function comparisonRow(result: Comparison): string[] {
  const { ours, theirs } = result;
  const ms = (value: number): string => value.toFixed(2);
  const thread = ({ userUs, systemUs }: ServerRound): string =>
    `${userUs.toFixed(2)} + ${systemUs.toFixed(2)}`;
  return [
    ...[result.workload, `${result.clients}`, `${result.pipeline}`],
    ...[short(ours.requestsPerSecond), short(theirs.requestsPerSecond), result.ratio.toFixed(2)],
    ...[ms(ours.p50Ms), ms(theirs.p50Ms), ms(ours.p99Ms), ms(theirs.p99Ms), result.p99Ratio.toFixed(2)],
    ...[thread(ours), thread(theirs)],
  ];
}
