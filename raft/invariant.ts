/** Assertions that stay on: a core that finds its own state impossible must not go on. */
export function invariant(condition: boolean, text: string): asserts condition {
  if (!condition) throw new Error(`raft invariant broken: ${text}`);
}
