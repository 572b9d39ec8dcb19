/** Judges a round's histories in a thread of its own: the proxies must not stand still meanwhile. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { checkHistory } from '../linearizability/checker.js';
import type { Operation } from '../linearizability/history.js';
import { checkTtl, type TtlHistory } from '../sim/ttl.js';

export interface Evidence {
  readonly histories: readonly (readonly Operation[])[];
  readonly ttl: readonly TtlHistory[];
  /** How far the wall clock that expires keys may be off the one that times operations. */
  readonly skewMs: number;
}

export interface Sentence {
  readonly violation: { readonly check: string; readonly text: string } | undefined;
  /** Histories that no verdict was reached on: why. */
  readonly undecided: readonly string[];
}

export function judge({ histories, ttl, skewMs }: Evidence): Sentence {
  const undecided: string[] = [];
  for (const [place, history] of histories.entries()) {
    const { verdict, report } = checkHistory(history);
    if (verdict === 'undecided')
      undecided.push(`history ${place}, of ${history.length} operations: ${report}`);
    if (verdict === 'not linearizable')
      return { violation: { check: 'linearizability', text: report! }, undecided };
  }
  for (const one of ttl) {
    const wrong = checkTtl(one, skewMs);
    if (wrong !== undefined) return { violation: { check: 'time to live', text: wrong }, undecided };
  }
  return { violation: undefined, undecided };
}

export function judgeInThread(evidence: Evidence): Promise<Sentence> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: evidence });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

if (!isMainThread && parentPort !== null) parentPort.postMessage(judge(workerData as Evidence));
