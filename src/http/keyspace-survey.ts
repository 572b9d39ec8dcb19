/**
 * What keys take, by type, and which are the largest: a walk over all of them, in slices between which the
 * node serves. What is written meanwhile may be counted twice, or not at all.
 */
import { View } from '../../engine/index.js';
import { monotonicNow, setImmediate } from '../../raft/node/timers.js';
import type { NodeContext } from '../commands/node-context.js';

const SLICE_MS = 2;
/** Keys between two looks at the clock. */
const KEYS_PER_LOOK = 64;
const LARGEST_MAX = 50;
/** What a name is cut to. */
const NAME_BYTES = 200;

export interface LargeKey {
  readonly database: number;
  /** Its first bytes. */
  readonly key: string;
  readonly type: string;
  readonly bytes: number;
}

export interface KeyspaceSurvey {
  readonly keys: number;
  readonly milliseconds: number;
  readonly types: readonly { readonly type: string; readonly keys: number; readonly bytes: number }[];
  /** The largest first. */
  readonly largest: readonly LargeKey[];
}

/** @param isWanted asked between slices: false ends the walk with what was seen */
export async function surveyKeyspace(node: NodeContext, isWanted: () => boolean): Promise<KeyspaceSurvey> {
  const beganMs = monotonicNow();
  const types = new Map<string, { keys: number; bytes: number }>();
  const largest: LargeKey[] = [];
  const view = new View();
  let keys = 0;
  let sliceMs = beganMs;
  let { engine } = node;
  for (const { id } of [...engine.keyspace.used()]) {
    for (let slot = 0; ; slot++) {
      if (slot % KEYS_PER_LOOK === 0 && monotonicNow() - sliceMs > SLICE_MS) {
        await new Promise((resolve) => setImmediate(resolve));
        // A snapshot that came meanwhile has put another one in its place.
        engine = node.engine;
        if (!isWanted()) break;
        sliceMs = monotonicNow();
      }
      const database = engine.keyspace.database(id);
      if (slot >= database.size) break;
      const type = database.type(slot);
      const bytes = database.slotBytes(slot);
      const total = types.get(type) ?? { keys: 0, bytes: 0 };
      types.set(type, { keys: total.keys + 1, bytes: total.bytes + bytes });
      keys++;
      if (largest.length === LARGEST_MAX && bytes <= largest.at(-1)!.bytes) continue;
      const name = database.key(slot, view);
      const key = name.buffer.toString('utf8', name.start, Math.min(name.end, name.start + NAME_BYTES));
      const at = largest.findIndex((other) => other.bytes < bytes);
      largest.splice(at < 0 ? largest.length : at, 0, { database: id, key, type, bytes });
      if (largest.length > LARGEST_MAX) largest.pop();
    }
  }
  return {
    keys,
    milliseconds: Math.round(monotonicNow() - beganMs),
    types: [...types].map(([type, total]) => ({ type, ...total })).sort((a, b) => b.bytes - a.bytes),
    largest,
  };
}
