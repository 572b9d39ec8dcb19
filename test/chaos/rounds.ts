/**
 * A round: load and faults together for a while; then all is healed, and everything that was promised is
 * looked at.
 */
import { checkDirectory, nodeDisk } from '../../raft/node/index.js';
import type { Random } from '../sim/random.js';
import type { TtlHistory } from '../sim/ttl.js';
import { Client, drawGeneration, FaithfulClient, type Generation, readsOf, sleep } from './clients.js';
import type { Cluster } from './cluster.js';
import { settleTimeoutMs } from './cluster.js';
import { carryOut, drawFaults, type FaultKind } from './faults.js';
import { JobClient, JobLedger } from './jobs.js';
import { judgeInThread } from './judge.js';
import { checkLedger, LargeClient, LedgerClient } from './ledger.js';
import type { SmallDisks } from './small-disks.js';

export interface RoundOptions {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly stormMs: number;
  /** How much faster than usual clients go. */
  readonly rate: number;
  /** Kinds of faults; empty: all. */
  readonly only: readonly FaultKind[];
  readonly disks: SmallDisks;
  /** What earlier rounds on this cluster have left: it must still be there. */
  readonly kept: LedgerClient[];
  /** Makes names of keys unique. */
  readonly number: number;
}

export interface RoundResult {
  readonly faults: number;
  /** Histories that no verdict was reached on: why. */
  readonly undecided: readonly string[];
  readonly settleMs: number;
}

const clientCount = 8;
const ledgerCount = 3;
const jobClientCount = 4;
const generationMs = 2000;
/** Wall clocks jump by no more than this while a round lasts; beyond it time to live is judged. */
const skewMs = 25;

export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { cluster, random, rate, kept, number } = options;
  const { journal, profile } = cluster;
  const generations: Generation[] = [];
  const generation = (place: number): Generation => {
    while (generations.length <= place) {
      const prefix = `r${number}g${generations.length}:`;
      const fork = random.fork(`generation ${generations.length}`);
      generations.push(drawGeneration(fork, prefix, clientCount, generationMs));
    }
    return generations[place]!;
  };
  const connector = (name: string): ConstructorParameters<typeof Client> => {
    const fork = random.fork(name);
    return [name, () => cluster.places, fork, journal, fork.chance(0.35)];
  };
  const clients = Array.from({ length: clientCount }, (_, i) => new Client(...connector(`c${i + 1}`)));
  const ledgers = Array.from(
    { length: ledgerCount },
    (_, i) => new LedgerClient(...connector(`r${number}w${i + 1}`)),
  );
  const jobs = new JobLedger();
  const workers = Array.from(
    { length: jobClientCount },
    (_, i) => new JobClient(`r${number}jobs`, jobs, ...connector(`r${number}j${i + 1}`)),
  );
  const large = profile.largeBytesPerSecond > 0 ? new LargeClient(...connector(`r${number}b`)) : undefined;
  const faithful = cluster.nodes.map(
    (node, i) =>
      new FaithfulClient(
        () => node.address,
        () => generations.at(-1),
        ...connector(`f${i + 1}`),
      ),
  );
  const running = [
    ...faithful.map((client) => client.stay(rate)),
    ...clients.map((client, place) => client.run(place, generation, rate)),
    ...ledgers.map((client) => client.run(rate)),
    ...workers.map((client) => client.run(rate)),
    ...(large === undefined
      ? []
      : [large.run(Math.min(400_000, profile.largeBytesPerSecond / 8), profile.largeBytesPerSecond)]),
  ];
  const everybody = [...clients, ...ledgers, ...workers, ...(large === undefined ? [] : [large])];

  const faults = await storm(
    options,
    [...everybody, ...faithful].map((client) => client.name),
  );
  const began = performance.now();
  await cluster.reviveAll();
  await untilAllAnswered(options, everybody);
  for (const client of [...everybody, ...faithful]) client.isStopped = true;
  await Promise.all(running);
  await cluster.settle();
  const settleMs = performance.now() - began;
  if (journal.violation === undefined) await cluster.assertEqual();
  const result = { faults, undecided: [], settleMs };
  if (journal.violation !== undefined) return result;

  const reader = new Client(...connector('reader'));
  const deadline = performance.now() + settleTimeoutMs;
  for (const one of generations) {
    if (!(await reader.readBack(one, readsOf(one), deadline)))
      journal.violate('liveness', 'what was written cannot be read back in time');
  }
  await finishJobs(reader, workers, jobs, options);
  kept.push(...ledgers);
  for (const ledger of kept) await readLedger(reader, ledger, options);
  if (large !== undefined) {
    for (const key of large.keys) while (!(await large.perform(['GET', key], ['GET', key]))) await sleep(10);
    large.disconnect();
    await ask(reader, [['DEL', ...large.keys]], options);
  }
  await checkExpired(
    reader,
    generations.map((one) => one.ttl),
    options,
  );
  reader.disconnect();
  if (journal.violation !== undefined) return result;

  const { violation, undecided } = await judgeInThread({
    histories: [...generations.map((one) => one.history), ...(large === undefined ? [] : [large.history])],
    ttl: generations.map((one) => one.ttl),
    skewMs,
  });
  if (violation !== undefined) {
    const key = /r\d+g\d+:\w+/.exec(violation.text)?.[0];
    const refusals = generations.flatMap((one) => one.refusals).filter((line) => line.includes(` ${key} `));
    const refused = refusals.length === 0 ? '' : `\nrefused or not served:\n  ${refusals.join('\n  ')}`;
    journal.violate(violation.check, `${violation.text}${refused}`);
  }
  return { ...result, undecided };
}

/** Faults as they were drawn, and looks at the digests in between. Returns how many came to something. */
async function storm(options: RoundOptions, clients: readonly string[]): Promise<number> {
  const { cluster, random, stormMs, only, disks } = options;
  const { journal } = cluster;
  const began = performance.now();
  const isOver = (): boolean => performance.now() - began >= stormMs || journal.violation !== undefined;
  const wait = async (ms: number): Promise<void> => {
    const left = stormMs - (performance.now() - began);
    await sleep(Math.max(0, Math.min(ms, left)));
  };
  const underWay: Promise<void>[] = [];
  let faults = 0;
  const probing = (async () => {
    while (!isOver()) {
      await wait(3000);
      const applied = [...cluster.stats.values()].map((stats) => Number(stats.applied_index));
      await cluster.compareDigests(2500, Math.max(0, ...applied) + 100 + random.below(100));
    }
  })();
  for (const { kind, atMs, forMs, seed } of drawFaults(random.fork('faults'), stormMs, only)) {
    await wait(atMs - (performance.now() - began));
    if (isOver()) break;
    const own = random.fork(`fault ${seed}`);
    journal.note('operator', `${kind} (${forMs.toFixed(0)} ms)`);
    const work = carryOut(kind, { cluster, random: own, forMs, wait, isOver, clients, disks });
    underWay.push(
      work.then(
        (struck) => {
          if (!struck) return;
          journal.count(kind);
          faults++;
        },
        (error: Error) => journal.violate('harness', `${kind}: ${error.stack}`),
      ),
    );
  }
  await wait(stormMs);
  await Promise.all(underWay);
  await probing;
  return faults;
}

/** After the last fault every client gets through, within a bound. */
async function untilAllAnswered(
  { cluster }: RoundOptions,
  clients: readonly { readonly name: string; readonly answered: number }[],
): Promise<void> {
  const before = clients.map((client) => client.answered);
  for (const deadline = performance.now() + settleTimeoutMs; cluster.journal.violation === undefined; ) {
    const waiting = clients.filter((client, i) => client.answered <= before[i]!);
    if (waiting.length === 0) return;
    if (performance.now() > deadline) {
      const names = waiting.map((client) => client.name).join(', ');
      cluster.journal.violate(
        'liveness',
        `${settleTimeoutMs} ms after the last fault nobody answers ${names}`,
      );
    }
    await sleep(50);
  }
}

/** Asks until all is answered. */
async function ask(
  client: Client,
  commands: readonly (readonly string[])[],
  { cluster }: RoundOptions,
): Promise<unknown[]> {
  for (const deadline = performance.now() + settleTimeoutMs; cluster.journal.violation === undefined; ) {
    const exchange = await client.exchange(commands);
    const answers = exchange?.answers ?? [];
    const error = answers.find((answer) => answer instanceof Error);
    if (error === undefined && answers.length === commands.length) return answers;
    if (error instanceof Error) client.heed(error);
    if (performance.now() > deadline)
      cluster.journal.violate('liveness', `nobody answers ${commands[0]!.join(' ')}`);
    await sleep(20);
  }
  return commands.map(() => null);
}

async function readLedger(reader: Client, ledger: LedgerClient, options: RoundOptions): Promise<void> {
  const [list, count] = await ask(
    reader,
    [
      ['LRANGE', ledger.listKey, '0', '-1'],
      ['GET', ledger.counterKey],
    ],
    options,
  );
  if (options.cluster.journal.violation !== undefined) return;
  const wrong = checkLedger(ledger, list as string[], Number(count ?? 0));
  if (wrong !== undefined)
    options.cluster.journal.violate('no acknowledged write lost or doubled', `${ledger.name}: ${wrong}`);
}

/** Every job is done in the end, each was given out, none that was done comes again. */
async function finishJobs(
  reader: Client,
  workers: readonly JobClient[],
  jobs: JobLedger,
  options: RoundOptions,
): Promise<void> {
  const deadline = performance.now() + settleTimeoutMs;
  for (const worker of workers) await worker.finish(deadline);
  const { key } = workers[0]!;
  const asked = [
    ['XRANGE', key, '-', '+'],
    ['XPENDING', key, 'workers'],
    ['DEL', key],
  ];
  const [entries, pending] = await ask(reader, asked, options);
  if (options.cluster.journal.violation !== undefined) return;
  const wrong = jobs.end(entries as [string, string[]][], (pending as [number])[0]);
  if (wrong !== undefined) options.cluster.journal.violate('jobs of a stream', `${key}: ${wrong}`);
}

/** What was to live for less time than has passed is gone. */
async function checkExpired(
  reader: Client,
  ttl: readonly TtlHistory[],
  options: RoundOptions,
): Promise<void> {
  const now = performance.now();
  const keys = ttl.flatMap(({ writes }) =>
    writes
      .filter(({ returnedAt, lifetimeMs }) => returnedAt + lifetimeMs + skewMs < now)
      .map((write) => write.key),
  );
  if (keys.length === 0) return;
  const answers = await ask(
    reader,
    keys.map((key) => ['GET', key]),
    options,
  );
  const alive = keys.find((_, i) => answers[i] !== null);
  if (alive !== undefined) options.cluster.journal.violate('time to live', `${alive} outlives its time`);
}

/** What is on the disks of a cluster that was stopped is whole. */
export async function checkDirectories(cluster: Cluster): Promise<void> {
  for (const node of cluster.nodes) {
    const { damages, logProblem } = await checkDirectory(nodeDisk, node.options.directory);
    const all = [...damages, ...(logProblem === undefined ? [] : [`${logProblem.file}: ${logProblem.what}`])];
    if (all.length > 0)
      cluster.journal.violate('sound directories', `${node.name} after a clean stop: ${all.join('; ')}`);
  }
}
