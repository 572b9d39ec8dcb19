/**
 * What a generator produces: units. A unit is one command or a few that belong together; shrinking drops
 * whole units only. How replies are compared is part of the unit.
 */
import type { Reply } from '../reply.js';
import type { Random } from './random.js';

/**
 * Makes a reply comparable with the other server's: sorts what has no order, replaces what is a matter of
 * chance.
 */
export type Normalise = (reply: Reply) => Reply;

/** How two replies are compared where making both canonical is not enough (tolerances). */
export type Compare = (reference: Reply, target: Reply) => boolean;

/** One command within a unit. */
export interface Command {
  words: string[];
  /** Index of the connection; 0 unless the family uses several. */
  connection?: number;
  normalise?: Normalise;
  compare?: Compare;
  /** May wait, but only for a moment: the next step comes when it has answered. */
  timesOut?: boolean;
}

/**
 * A few round trips that are their own program, such as a whole SCAN iteration; what it returns is compared
 * as JSON.
 */
export interface Script {
  name: string;
  run(call: (words: string[]) => Promise<Reply>): Promise<unknown>;
}

/** Where a server listens. */
export interface Address {
  host: string;
  port: number;
}

/** Needs the other server too: what DUMP gave here is restored there. Returns what is wrong, if anything. */
export interface CrossScript {
  name: string;
  run(
    reference: (words: string[]) => Promise<Reply>,
    target: (words: string[]) => Promise<Reply>,
    addresses: { reference: Address; target: Address },
  ): Promise<string | undefined>;
}

/** Commands in a row, one script, or one cross script. */
export interface Unit {
  commands?: Command[];
  script?: Script;
  crossScript?: CrossScript;
}

/** A generator of units with its weight. */
export type Weighted = [weight: number, make: (random: Random) => Unit | string[]];

/** A family of commands, with what its generator needs. */
export interface Family {
  name: string;
  /** Commands of 7.0 that this family generates: the coverage check reads it. */
  generators: Weighted[];
  /** Settings for the whole run: low encoding thresholds make conversions frequent. */
  settings?: Record<string, string>;
  /** Connections that the units use; one unless given. With more than one, commands go one by one. */
  connections?: number;
  /** Whether commands may block: then the runner follows who waits. */
  blocking?: boolean;
  /** Databases whose state is compared. */
  databases?: number[];
}

/** A command as a unit. */
export function command(words: string[], extra: Omit<Command, 'words'> = {}): Unit {
  return { commands: [{ words, ...extra }] };
}
