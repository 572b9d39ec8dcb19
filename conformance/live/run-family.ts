/** Runs one family's generator against two servers and shrinks the first difference. */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { loadExceptions } from '../exceptions.js';
import { printCommand } from '../notation.js';
import { itemsOf, textOf } from '../reply.js';
import { printLineDifference } from '../run-transcript.js';
import type { RunningServer } from '../servers.js';
import type { Protocol } from '../transcript.js';
import { type Difference, EpisodePlayer } from './episode.js';
import { Random } from './random.js';
import { shrinkList } from './shrink.js';
import { command, type Family, type Unit } from './unit.js';

const episodeLength = 1_000;

/** A difference is made smaller for this long: a family that waits replays slowly. */
const shrinkMaxMs = 60_000;

/**
 * The named families, or all.
 * @throws Error for a name that is none, with those that are
 */
export async function loadFamilies(names: readonly string[]): Promise<Family[]> {
  const folder = join(dirname(fileURLToPath(import.meta.url)), '..', 'generators');
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

/** What a run of a family came to. */
export interface FamilyResult {
  commandCount: number;
  /** Differences that exceptions.txt explains. */
  knownCount: number;
  /** The first unexplained difference, with the fewest units that still show it. */
  found: { units: Unit[]; difference: Difference; episode: number; reproducible: boolean } | undefined;
}

async function shrink(
  player: EpisodePlayer,
  units: readonly Unit[],
  first: Difference,
): Promise<{ units: Unit[]; difference: Difference; reproducible: boolean }> {
  let last = first;
  const deadline = performance.now() + shrinkMaxMs;
  const fails = async (candidate: readonly Unit[]): Promise<number | false> => {
    if (performance.now() > deadline) return false;
    const { difference } = await player.play(candidate);
    if (!difference) return false;
    last = difference;
    return difference.unit + 1;
  };
  const prefix = units.slice(0, first.unit + 1);
  // Not seen again: it depended on chance, or on what the servers did before. Only the end of the way to it
  // is worth reading.
  if ((await fails(prefix)) === false) {
    return { units: prefix.slice(-20), difference: first, reproducible: false };
  }
  // Each attempt at a hang-up costs a timeout: fewer of them.
  const shrunk = await shrinkList(prefix, fails, first.broken ? 60 : 2_000);
  return { units: shrunk, difference: last, reproducible: true };
}

/**
 * Sends a family's commands to both servers, in episodes that each start from an empty keyspace, until so
 * many commands have gone or the first difference is found. The same seed gives the same commands. Units with
 * a command of `leaveOut` (lower case) are left out.
 */
export async function runFamily(
  family: Family,
  reference: RunningServer,
  target: RunningServer,
  protocol: Protocol,
  seed: number,
  commandsWanted: number,
  leaveOut: ReadonlySet<string> = new Set(),
  comparesEvents = false,
): Promise<FamilyResult> {
  const player = new EpisodePlayer(reference, target, protocol, family, loadExceptions(), comparesEvents);
  const result: FamilyResult = { commandCount: 0, knownCount: 0, found: undefined };
  try {
    await player.prepare();
    for (let episode = 0; result.commandCount < commandsWanted && !result.found; episode++) {
      const random = new Random(seed * 1_000_003 + episode);
      const units = generateUnits(
        family,
        random,
        Math.min(episodeLength, commandsWanted - result.commandCount),
      );
      const kept = units.filter(
        (unit) => !unit.commands?.some(({ words }) => leaveOut.has(words[0]!.toLowerCase())),
      );
      const played = await player.play(kept);
      result.commandCount += Math.max(1, played.commandCount);
      result.knownCount += played.knownCount;
      if (played.difference) result.found = { ...(await shrink(player, kept, played.difference)), episode };
    }
  } finally {
    player.close();
  }
  return result;
}

/** The commands that one server has and the other lacks, in lower case, by their COMMAND LIST. */
export async function commandsMissing(reference: RunningServer, target: RunningServer): Promise<Set<string>> {
  const list = async (server: RunningServer): Promise<string[]> => {
    const client = await server.connect();
    try {
      return itemsOf(await client.call(['COMMAND', 'LIST'])).map((item) => textOf(item)!.toLowerCase());
    } finally {
      client.close();
    }
  };
  const there = new Set(await list(target));
  return new Set((await list(reference)).filter((name) => !name.includes('|') && !there.has(name)));
}

/** The units and what differed, as a snippet of a transcript. */
export function printFound(found: NonNullable<FamilyResult['found']>): string {
  return [
    ...(found.reproducible
      ? []
      : ['# a replay did not show it again; these were the last commands before it']),
    printDifference(found.units, found.difference),
  ].join('\n');
}
