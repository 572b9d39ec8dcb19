/** Runs one seed to its end. */
import { drawPlan, type Plan } from './plan.js';
import { Run, type RunResult } from './run.js';

export function runPlan(plan: Plan): Promise<RunResult> {
  return new Run(plan).toEnd();
}

export function runSeed(seed: number): Promise<RunResult> {
  return runPlan(drawPlan(seed));
}
