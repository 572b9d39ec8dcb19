/** What an engine may be told when it is made. */
import type { Settings } from './settings.js';
import type { HashSeed } from './storage/dictionary.js';

export interface EngineOptions {
  /** Keys the hash tables; random per process where strangers choose keys. No part of the state. */
  readonly hashSeed?: HashSeed;
  readonly settings?: Partial<Settings>;
  /**
   * The highest behaviour level that the engine is to know, for tests of upgrades. Default: what this
   * release knows.
   */
  readonly behaviourLevel?: number;
  /**
   * Milliseconds since the epoch, for `Engine.call`. Without it time stands still but for setTime and
   * fastForward.
   */
  readonly clock?: () => number;
  /** Seeds what `Engine.call` draws at random; 0 if not given. */
  readonly seed?: number;
  /**
   * Told of a command that failed by a fault of the engine, and was answered with an error since nothing had
   * changed.
   */
  readonly onContained?: (command: string, error: unknown) => void;
}
