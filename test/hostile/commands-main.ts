/**
 * All commands with arguments near their limits, for as long as one likes: npm run fuzz:commands -- --minutes
 * 10 --seed 7
 */
import { parseArgs } from 'node:util';
import { fuzzCommands } from './commands.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: `${Date.now() % 1e6}` },
  },
});
const seed = Number(values.seed);
const seconds = Number(values.minutes) * 60;
if (!Number.isSafeInteger(seed) || !(seconds > 0)) throw new Error('--minutes and --seed are numbers');
console.log(`seed ${seed}, ${seconds / 60} minutes`);
const report = await fuzzCommands({
  seed,
  seconds,
  giantBytes: 400e6,
  callMsMax: 60_000,
  residentBytesMax: 8e9,
});
const { calls, commands, commandsInTable, slowest, residentBytesPeak, faults } = report;
console.log(`${calls} calls of ${commands} of ${commandsInTable} commands, ${faults.length} faults`);
console.log(`slowest ${slowest.ms} ms: ${slowest.call}; at most ${Math.round(residentBytesPeak / 1e6)} MB`);
for (const { call, error } of faults) console.log(`${call}\n  ${error}`);
process.exit(faults.length === 0 ? 0 : 1);
