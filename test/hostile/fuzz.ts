/** Attacks three nodes for a while, and says what came of it. */
import { Random } from '../sim/random.js';
import { hostileClients } from './clients.js';
import { type Attack, insiders, strangers } from './peers.js';
import { Target } from './target.js';

export interface FuzzOptions {
  readonly seed: number;
  readonly durationMs: number;
  readonly secret: string;
  readonly attackers: 'peers' | 'clients';
  /** Attacks under way at a time. */
  readonly width?: number;
}

export interface FuzzReport {
  /** Attacks by name. */
  readonly attacks: ReadonlyMap<string, number>;
  readonly honestWrites: number;
  readonly faults: readonly string[];
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { seed, durationMs, secret, attackers, width = 8 } = options;
  const attacks: readonly (readonly [string, Attack])[] =
    attackers === 'clients'
      ? Object.entries(hostileClients)
      : [...Object.entries(strangers), ...Object.entries(insiders)];
  const counts = new Map<string, number>();
  const faults: string[] = [];
  const target = await Target.start(secret);
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
    const guarded = (work: Promise<void>): Promise<void> =>
      work.catch((error: Error) => {
        faults.push(error.message);
      });
    await Promise.all([
      guarded(honest(new Random(seed))),
      ...Array.from({ length: width }, (_, i) => guarded(attack(new Random(seed + 1 + i)))),
    ]);
    faults.push(...(await target.verdict()));
    return { attacks: counts, honestWrites: target.writes, faults };
  } finally {
    await target.stop();
  }
}
