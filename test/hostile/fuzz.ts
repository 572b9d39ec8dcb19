/** Attacks three nodes for a while, and says what came of it. */
import { Random } from '../sim/random.js';
import { hostileClients } from './clients.js';
import { HonestClients } from './honest.js';
import { limitCommands } from './limit-commands.js';
import { type Attack, insiders, strangers } from './peers.js';
import { Target } from './target.js';

export interface FuzzOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly secret: string;
  readonly attackers: Attackers;
  /** Attacks under way at a time. */
  readonly width?: number;
  /** Most memory that each node may have. */
  readonly memoryBytes?: number;
}

const attacksBy = {
  peers: { ...strangers, ...insiders },
  clients: hostileClients,
  commands: { limitCommands },
  all: { ...strangers, ...insiders, ...hostileClients, limitCommands },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Attack>>>>;

export type Attackers = keyof typeof attacksBy;

export function isAttackers(text: string | undefined): text is Attackers {
  return text !== undefined && Object.hasOwn(attacksBy, text);
}

export interface FuzzReport {
  /** Attacks by name. */
  readonly attacks: ReadonlyMap<string, number>;
  readonly honestWrites: number;
  /** Operations in histories that were judged, and histories that were not decided. */
  readonly judged: number;
  readonly undecided: number;
  readonly refused: number;
  /** Whether the system bounded the nodes' memory. */
  readonly isBounded: boolean;
  readonly faults: readonly string[];
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { seed, durationMs, secret, attackers, width = 8, memoryBytes } = options;
  const attacks: readonly (readonly [string, Attack])[] = Object.entries(attacksBy[attackers]);
  const counts = new Map<string, number>();
  const faults: string[] = [];
  const target = await Target.start(secret, memoryBytes);
  try {
    const deadline = Date.now() + durationMs;
    // However short the time, each attack is made.
    let next = 0;
    const isOver = (): boolean =>
      faults.length > 0 || (Date.now() >= deadline && counts.size === attacks.length);
    const attack = async (random: Random): Promise<void> => {
      while (!isOver()) {
        const [name, run] = attacks[next++] ?? random.pick(attacks);
        await run(target, random.pick(target.ports), random);
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    };
    const honest = async (random: Random): Promise<void> => {
      while (!isOver()) await target.honestRound(() => random.next());
    };
    const clients = new HonestClients(target.ports, new Random(seed).fork('honest'));
    const judged = async (): Promise<void> => {
      while (!isOver()) {
        const wrong = await clients.round();
        if (wrong !== undefined) faults.push(wrong);
      }
    };
    const guarded = (work: Promise<void>): Promise<void> =>
      work.catch((error: Error) => {
        faults.push(error.message);
      });
    await Promise.all([
      guarded(honest(new Random(seed))),
      guarded(judged()),
      ...Array.from({ length: width }, (_, i) => guarded(attack(new Random(seed + 1 + i)))),
    ]);
    faults.push(...(await target.verdict().catch((error: Error) => [error.message])));
    if (faults.length > 0) faults.push(target.logs(), ...(await target.slowest()));
    return {
      attacks: counts,
      honestWrites: target.writes,
      judged: clients.answered,
      undecided: clients.undecided.length,
      refused: clients.refused,
      isBounded: target.isBounded,
      faults,
    };
  } finally {
    await target.stop();
  }
}
