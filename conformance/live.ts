/**
 * `npm run conformance:live`: random commands to a real redis-server and to Redraft; the first difference, shrunk, is printed as a transcript snippet.
 */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { loadExceptions } from './exceptions.js';
import { type Difference, EpisodePlayer } from './live/episode.js';
import { startFaultProxy } from './live/fault-proxy.js';
import { Random } from './live/random.js';
import { shrinkList } from './live/shrink.js';
import { command, type Family, type Unit } from './live/unit.js';
import { printCommand } from './notation.js';
import { printLineDifference } from './run-transcript.js';
import { openTarget, type RunningServer, startRedis } from './servers.js';
import type { Protocol } from './transcript.js';

const usage =
  'usage: npm run conformance:live -- [--family NAME,…] [--commands N] [--seed N] [--resp 2|3] [--target redraft|redis|HOST:PORT] [--fault N]\n' +
  '  --commands  per family and protocol (default 20000)\n' +
  '  --fault N   alter about one in N replies of the target, to see that differences are found';

const episodeLength = 1_000;

async function loadFamilies(names: readonly string[]): Promise<Family[]> {
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'generators');
  const all = readdirSync(folder)
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -3))
    .sort();
  for (const name of names) {
    if (!all.includes(name)) throw new Error(`no family ${name}: there are ${all.join(', ')}`);
  }
  return Promise.all(
    (names.length > 0 ? names : all).map(async (name) => {
      const module = (await import(pathToFileURL(join(folder, `${name}.js`)).href)) as { family: Family };
      return module.family;
    }),
  );
}

/** Units of a family until they hold enough commands. */
export function generateUnits(family: Family, random: Random, commandCount: number): Unit[] {
  const total = family.generators.reduce((sum, [weight]) => sum + weight, 0);
  const units: Unit[] = [];
  for (let commands = 0; commands < commandCount; ) {
    let choice = random.below(total);
    const [, make] = family.generators.find(([weight]) => {
      choice -= weight;
      return choice < 0;
    })!;
    const made = make(random);
    const unit = Array.isArray(made) ? command(made) : made;
    units.push(unit);
    commands += unit.commands?.length ?? 10;
  }
  return units;
}

function printUnit(unit: Unit): string[] {
  if (unit.commands) {
    return unit.commands.map(
      ({ words, connection }) => `${connection ? `c${connection + 1}` : ''}> ${printCommand(words)}`,
    );
  }
  return [`# ${(unit.script ?? unit.crossScript)!.name}`];
}

function printDifference(units: readonly Unit[], difference: Difference): string {
  return [
    ...units.flatMap(printUnit),
    `# differs: ${difference.what}`,
    ...printLineDifference(difference.reference.split('\n'), difference.target.split('\n')),
  ].join('\n');
}

async function shrink(
  player: EpisodePlayer,
  units: readonly Unit[],
  first: Difference,
): Promise<[Unit[], Difference]> {
  let last = first;
  const fails = async (candidate: readonly Unit[]): Promise<number | false> => {
    const { difference } = await player.play(candidate);
    if (!difference) return false;
    last = difference;
    return difference.unit + 1;
  };
  const prefix = units.slice(0, first.unit + 1);
  // Not seen again: it depended on chance, or on what the servers did before. Only the end of the way to it is worth reading.
  if ((await fails(prefix)) === false) {
    console.log('# a replay did not show it again; these were the last commands before it');
    return [prefix.slice(-20), first];
  }
  const shrunk = await shrinkList(prefix, fails);
  await fails(shrunk);
  return [shrunk, last];
}

async function runFamily(
  family: Family,
  reference: RunningServer,
  target: RunningServer,
  protocol: Protocol,
  seed: number,
  commandsWanted: number,
): Promise<boolean> {
  const player = new EpisodePlayer(reference, target, protocol, family, loadExceptions());
  const started = performance.now();
  let commandCount = 0;
  let knownCount = 0;
  try {
    await player.prepare();
    for (let episode = 0; commandCount < commandsWanted; episode++) {
      const random = new Random(seed * 1_000_003 + episode);
      const units = generateUnits(family, random, Math.min(episodeLength, commandsWanted - commandCount));
      const result = await player.play(units);
      commandCount += Math.max(1, result.commandCount);
      knownCount += result.knownCount;
      if (!result.difference) continue;
      console.log(`${family.name} RESP${protocol}: difference in episode ${episode} of seed ${seed}, shrinking`);
      const [shrunk, difference] = await shrink(player, units, result.difference);
      console.log(`\n== ${family.name} (resp${protocol}), seed ${seed}\n${printDifference(shrunk, difference)}\n`);
      return false;
    }
  } finally {
    player.close();
  }
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${family.name} RESP${protocol}: ${commandCount} commands, no ${knownCount > 0 ? 'unexplained ' : ''}difference` +
      `${knownCount > 0 ? ` (${knownCount} known)` : ''}, seed ${seed}, ${seconds.toFixed(1)} s`,
  );
  return true;
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number`);
  return Number(text);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      family: { type: 'string', multiple: true, default: [] },
      commands: { type: 'string', default: '20000' },
      seed: { type: 'string' },
      resp: { type: 'string' },
      target: { type: 'string', default: 'redraft' },
      fault: { type: 'string' },
    },
  });
  if (values.resp !== undefined && values.resp !== '2' && values.resp !== '3')
    throw new Error(`--resp ${values.resp}: expected 2 or 3`);
  const protocols: Protocol[] = values.resp === undefined ? [2, 3] : [Number(values.resp) as Protocol];
  const commands = wholeNumber('commands', values.commands);
  const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  const families = await loadFamilies(values.family.flatMap((name) => name.split(',')));
  const reference = await startRedis();
  let target: RunningServer | undefined;
  let failed = 0;
  try {
    target = await openTarget(values.target);
    const seen =
      values.fault === undefined ? target : await startFaultProxy(target, wholeNumber('fault', values.fault));
    for (const family of families) {
      for (const protocol of protocols) {
        if (!(await runFamily(family, reference, seen, protocol, seed, commands))) failed++;
      }
    }
    if (seen !== target) await seen.stop();
  } finally {
    await reference.stop();
    await target?.stop();
  }
  const runs = families.length * protocols.length;
  console.log(`${runs - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(`conformance:live: ${error.message}\n${usage}`);
    process.exit(2);
  },
);
