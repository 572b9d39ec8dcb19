/**
 * `npm run walk -- [--keys 1000000] [--rate 5000] [--stay 10]`: the walk of walk.ts, each step as it comes.
 * `--stay` says for how many seconds clients write at each station.
 */
import { parseArgs } from 'node:util';
import { walk } from './walk.js';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '5000' },
    stay: { type: 'string', default: '10' },
  },
});
const { writes, heldMs } = await walk({
  keys: Number(values.keys),
  writesPerSecond: Number(values.rate),
  stayMs: Number(values.stay) * 1000,
  print: (line) => console.log(line),
});
console.log(`${writes} writes; while all keys were compared, clients waited ${heldMs.join(' and ')} ms`);
