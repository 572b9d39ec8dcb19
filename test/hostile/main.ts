/**
 * Hostile peers or clients against three nodes, for as long as one likes:
 *
 *   npm run fuzz:peers -- --minutes 10 --seed 7
 *   npm run fuzz:clients -- --minutes 10
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: `${Date.now() % 1e6}` },
  },
});
const attackers = positionals[0] === 'clients' ? 'clients' : 'peers';
const seed = Number(values.seed);
const durationMs = Number(values.minutes) * 60_000;
if (!Number.isSafeInteger(seed) || !(durationMs > 0)) throw new Error('--minutes and --seed are numbers');
const secrets = attackers === 'peers' ? ['a secret', ''] : [''];
let isSound = true;
for (const secret of secrets) {
  const where = secret === '' ? 'without a cluster secret' : 'with a cluster secret';
  console.log(`hostile ${attackers} ${where}, seed ${seed}, ${durationMs / secrets.length / 60_000} minutes`);
  const { attacks, honestWrites, faults } = await fuzz({
    seed,
    durationMs: durationMs / secrets.length,
    secret,
    attackers,
  });
  console.log([...attacks].map(([name, count]) => `${name} ${count}`).join(', '));
  console.log(`${honestWrites} writes of an honest client; ${faults.length} faults`);
  for (const fault of faults) console.log(fault);
  isSound &&= faults.length === 0;
}
process.exit(isSound ? 0 : 1);
