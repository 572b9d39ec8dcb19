/** Runs one seed to its end. */
import { drawPlan, type Plan } from './plan.js';
import { type RunResult, World } from './world.js';

export function runPlan(plan: Plan): Promise<RunResult> {
  return new World(plan).run();
}

export function runSeed(seed: number): Promise<RunResult> {
  return runPlan(drawPlan(seed));
}
