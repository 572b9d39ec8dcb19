/**
 * `npm run conformance:lua -- [--programs N] [--seed N]`: random programs in redis-server's Lua and in
 * Redraft's; prints those that differ.
 */
import { parseArgs } from 'node:util';
import { startRedis } from '../servers.js';
import { ProgramGenerator } from './generate-program.js';
import { askRedis } from './redis-lua.js';
import { protectedState, runProgram } from './run-program.js';

const programsPerCall = 200;
const differencesShown = 10;

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const count = Number(values.programs);
const seed = Number(values.seed);
const started = performance.now();
const server = await startRedis();
const state = protectedState();
let differences = 0;
let errors = 0;
try {
  for (let done = 0; done < count && differences < differencesShown; done += programsPerCall) {
    const generator = new ProgramGenerator(seed + done);
    const sources = Array.from({ length: Math.min(programsPerCall, count - done) }, () =>
      generator.program(),
    );
    const theirs = await askRedis(server, sources);
    sources.forEach((source, at) => {
      if (!theirs[at]!.startsWith('true')) errors++;
      // Every tenth as generators too: coroutines are compiled that way.
      for (const coroutines of at % 10 === 0 ? [false, true] : [false]) {
        const ours = runProgram(state, source, coroutines);
        if (ours === theirs[at]) continue;
        differences++;
        if (differences <= differencesShown) {
          console.log(`\n== seed ${seed + done}, program ${at}${coroutines ? ', as generators' : ''}`);
          console.log(
            `${source}\n-- redis:   ${theirs[at]!.slice(0, 1500)}\n-- redraft: ${ours.slice(0, 1500)}`,
          );
        }
      }
    });
  }
} finally {
  await server.stop();
}
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `${count} programs, ${errors} that end with an error, ${differences} differences, seed ${seed}, ${seconds} s`,
);
process.exitCode = differences === 0 ? 0 : 1;
