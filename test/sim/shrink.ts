/**
 * Finds a shorter plan that still fails in the same way: faults and operations are left out as long as the
 * failure stays.
 */
import type { Plan } from './plan.js';
import type { RunResult } from './run.js';
import { runPlan } from './run-seed.js';

export interface Shrunk {
  readonly plan: Plan;
  readonly result: RunResult;
  readonly runs: number;
}

/** @param run runs a plan; tests put their own in its place
 * @param deadlineMs time (of `performance.now()`) after which the shortest plan so far is good enough */
export async function shrink(
  plan: Plan,
  result: RunResult,
  deadlineMs: number,
  run: (plan: Plan) => Promise<RunResult> = runPlan,
): Promise<Shrunk> {
  const check = result.violation!.check;
  let best: Shrunk = { plan, result, runs: 0 };
  let runs = 0;
  const tryPlan = async (candidate: Plan): Promise<boolean> => {
    runs++;
    const outcome = await run(candidate);
    if (outcome.violation?.check !== check) return false;
    best = { plan: candidate, result: outcome, runs };
    return true;
  };
  const inTime = (): boolean => performance.now() < deadlineMs;
  /** Drops ever smaller pieces of a list (delta debugging, Zeller 1999). Returns whether any went. */
  const reduce = async (field: 'faults' | 'operations'): Promise<boolean> => {
    let hasShrunk = false;
    for (let size = Math.ceil(best.plan[field].length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < best.plan[field].length && inTime(); ) {
        const list = best.plan[field] as readonly unknown[];
        const rest = [...list.slice(0, at), ...list.slice(at + size)];
        if (await tryPlan({ ...best.plan, [field]: rest })) hasShrunk = true;
        else at += size;
      }
      if (field === 'operations' && size <= 2 && best.plan.operations.length > 200) break;
    }
    return hasShrunk;
  };
  if (best.plan.lastRestart !== 'none') await tryPlan({ ...best.plan, lastRestart: 'none' });
  let hasShrunk = true;
  while (hasShrunk && inTime()) {
    hasShrunk = await reduce('faults');
    hasShrunk = (await reduce('operations')) || hasShrunk;
  }
  return { ...best, runs };
}
