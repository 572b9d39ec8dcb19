/** A failed run in words: what was broken, the schedule that breaks it, and what each node did last. */
import { spawnSync } from 'node:child_process';
import type { Plan } from './plan.js';
import type { RunResult } from './run.js';

const lastEvents = 25;

export function commitName(): string {
  const { stdout } = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], {
    encoding: 'utf8',
  });
  return stdout?.trim() || 'unknown';
}

export function describeSummary({ seed, violation }: RunResult): string {
  return `seed ${seed}: ${violation!.check}: ${violation!.message}`;
}

/** The whole report; `plan` is the shortest one that was found. */
export function describeFailure(plan: Plan, result: RunResult, runs: number): string {
  const lines = [
    describeSummary(result),
    `  commit ${commitName()}; replay: npm run sim -- --seed ${plan.seed}`,
    `  ${plan.founders} founders, ${plan.machines} machines, ${plan.clients} clients, sizes ${JSON.stringify(plan.sizes)}, at the end: ${plan.lastRestart}`,
    `  schedule${runs > 0 ? `, cut down in ${runs} runs` : ''}: ${plan.faults.length} faults, ${plan.operations.length} operations`,
  ];
  for (const { atMs, kind, ...rest } of plan.faults) {
    lines.push(`    ${atMs.toFixed(0)} ms ${kind} ${JSON.stringify(rest)}`);
  }
  for (const { client, kind, commands } of plan.operations.slice(0, 40)) {
    lines.push(`    c${client + 1} ${kind}: ${commands.map((command) => command.join(' ')).join('; ')}`);
  }
  if (plan.operations.length > 40) lines.push(`    and ${plan.operations.length - 40} more operations`);
  for (const [who, events] of result.traces) {
    lines.push(`  ${who}`);
    for (const event of events.slice(-lastEvents)) lines.push(`    ${event}`);
  }
  return lines.join('\n');
}
