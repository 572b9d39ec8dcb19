/** Runs the seeds that its parent names, one at a time. */
import { runSeed } from './run-seed.js';

export interface SeedOutcome {
  readonly seed: number;
  /** Which check failed, and how. */
  readonly violation: { readonly check: string; readonly message: string } | undefined;
  readonly counts: Readonly<Record<string, number>>;
}

process.on('message', (seed: number) => {
  runSeed(seed).then(
    ({ violation, counts }) => {
      const outcome: SeedOutcome = {
        seed,
        violation:
          violation === undefined ? undefined : { check: violation.check, message: violation.message },
        counts,
      };
      process.send!(outcome);
    },
    (error: Error) =>
      process.send!({ seed, violation: { check: 'no crash', message: error.stack }, counts: {} }),
  );
});
