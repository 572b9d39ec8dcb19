/** Helpers of the family tests: tables of commands, and what a key's encoding is. */
import assert from 'node:assert/strict';
import { Engine, type JavaScriptReply, ReplyError } from '../../engine/index.js';
import { viewOf } from '../../engine/protocol/view.js';
import { valueTypes } from '../../engine/types/index.js';

export type Argument = string | number | bigint | Uint8Array;

/** What a call answers; an error reply as its text behind `!`. */
export function answer(engine: Engine, command: readonly Argument[]): JavaScriptReply {
  try {
    return engine.call(...command);
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
    return `!${error.message}`;
  }
}

/** Runs `SET k v` style lines and compares; an expectation that starts with `!` is an error text. */
export function script(
  lines: readonly (readonly [command: string, expected: JavaScriptReply])[],
  engine = new Engine(),
): Engine {
  for (const [line, expected] of lines) assert.deepEqual(answer(engine, line.split(' ')), expected, line);
  return engine;
}

/** The name that OBJECT ENCODING gives; undefined when the key is absent. */
export function encodingOf(engine: Engine, key: string): string | undefined {
  const database = engine.keyspace.database(0);
  const slot = database.find(viewOf(key));
  return slot < 0 ? undefined : valueTypes.encodingName(database.encoding(slot));
}

/** Members in an order of their own, for what has none to promise. */
export function sorted(reply: JavaScriptReply): string[] {
  assert.ok(Array.isArray(reply));
  return (reply as string[]).slice().sort();
}
