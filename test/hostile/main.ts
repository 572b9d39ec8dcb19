/**
 * Hostile peers, hostile clients, commands near their limits, or all of them, against three nodes, for as
 * long as one likes:
 *
 *   npm run fuzz:peers -- --minutes 10 --seed 7
 *   npm run fuzz:clients -- --minutes 10
 *   npm run fuzz:all -- --minutes 30 --memory 1024
 */
import { parseArgs } from 'node:util';
import { fuzz, isAttackers } from './fuzz.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: `${Date.now() % 1e6}` },
    /** Megabytes that each node may have, where the system can bound them (Linux, as root). */
    memory: { type: 'string' },
  },
});
const [attackers] = positionals;
if (!isAttackers(attackers)) throw new Error(`who attacks? ${attackers} does not`);
const seed = Number(values.seed);
const durationMs = Number(values.minutes) * 60_000;
const memoryBytes = values.memory === undefined ? undefined : Number(values.memory) * 2 ** 20;
if (!Number.isSafeInteger(seed) || !(durationMs > 0) || (memoryBytes !== undefined && !(memoryBytes > 0)))
  throw new Error('--minutes, --seed and --memory are numbers');
const secrets = attackers === 'peers' || attackers === 'all' ? ['a secret', ''] : [''];
let isSound = true;
for (const secret of secrets) {
  const where = secret === '' ? 'without a cluster secret' : 'with a cluster secret';
  console.log(`hostile ${attackers} ${where}, seed ${seed}, ${durationMs / secrets.length / 60_000} minutes`);
  const { attacks, honestWrites, judged, refused, undecided, isBounded, faults } = await fuzz({
    seed,
    durationMs: durationMs / secrets.length,
    secret,
    attackers,
    memoryBytes,
  });
  console.log([...attacks].map(([name, count]) => `${name} ${count}`).join(', '));
  if (memoryBytes !== undefined)
    console.log(
      isBounded ? `memory bounded to ${values.memory} MB a node` : 'memory not bounded: nobody here may',
    );
  console.log(
    `${honestWrites} writes of an honest client, ${judged} operations judged, ${refused} refused, ${undecided} histories undecided; ${faults.length} faults`,
  );
  for (const fault of faults) console.log(fault);
  isSound &&= faults.length === 0;
}
process.exit(isSound ? 0 : 1);
