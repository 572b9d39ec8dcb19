/**
 * Behaviour levels: how the releases of one cluster agree on what an entry does.
 *
 * A release that changes what an entry does to the state knows one level more. It goes on as before until an
 * entry raises the level in force, which the leader proposes once every member knows it. So an old log gives
 * the old results, and nodes of two releases never part: one that meets a level it does not know stops.
 */

/** The highest level that this release knows. CONTRIBUTING.md says what raises it. */
export const BEHAVIOUR_LEVEL = 1;

/** The level of a state that names none. */
const FIRST_LEVEL = 1;

/** The state is to change by rules that this release does not know: it must not go on. */
export class BehaviourLevelError extends Error {
  override readonly name = 'BehaviourLevelError';

  constructor(level: number, known: number) {
    super(
      `behaviour level ${level} is in force, and this release knows levels up to ${known}: ` +
        'use the release that ran here before, or a later one (docs/UPGRADE.md)',
    );
  }
}

export class Behaviour {
  private current = FIRST_LEVEL;

  /** @param known the highest level that this node knows: no part of the state */
  constructor(readonly known: number = BEHAVIOUR_LEVEL) {}

  /** The level in force: part of the state. Whatever depends on it asks here while it applies. */
  get level(): number {
    return this.current;
  }

  /** What a snapshot says of it: nothing at the first level, as releases before there were levels. */
  get written(): readonly number[] {
    return this.current === FIRST_LEVEL ? [] : [this.current];
  }

  /**
   * Puts a level into force. It never goes back: of two that come, the higher one stays.
   *
   * @throws BehaviourLevelError if this node does not know it; nothing has changed then
   */
  raise(level: number): void {
    if (level > this.known) throw new BehaviourLevelError(level, this.known);
    this.current = Math.max(this.current, level);
  }
}

/** Whether a number that came from elsewhere may be a level. */
export function isBehaviourLevel(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= FIRST_LEVEL && (value as number) <= 0xffffffff;
}
