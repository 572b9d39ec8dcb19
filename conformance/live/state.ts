/**
 * Everything a client can see of a keyspace, in one comparable text: keys, types, encodings, deadlines,
 * contents.
 */
import { withoutCachedCardinality } from '../cached-cardinality.js';
import type { ReplyClient } from '../client.js';
import { sorted } from '../matchers.js';
import { printReply, quote } from '../notation.js';
import { itemsOf, type Reply, textOf } from '../reply.js';

/** What one key looks like from outside. */
export interface KeyState {
  name: string;
  type: string;
  encoding: string;
  /** Unix milliseconds, -1 without an expiry. */
  expireAtMs: number;
  content: string;
}

const readers: Record<string, (key: string) => string[]> = {
  string: (key) => ['GET', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  hash: (key) => ['HGETALL', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  stream: (key) => ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'],
};

/** Order of these is chance; in every other encoding it is part of what must be equal. */
const hashed = new Set(['hashtable']);

function content(type: string, encoding: string, reply: Reply): string {
  const canonical = hashed.has(encoding) ? sorted(reply, type === 'hash') : withoutCachedCardinality(reply);
  const text = printReply(canonical).join('\n');
  // When consumers were seen and entries delivered is told by two clocks.
  return type === 'stream' ? text.replace(/:\d{12,}/g, ':time') : text;
}

/**
 * Reads the state of some databases through one connection, which must speak RESP2; leaves it on database 0.
 */
export async function readState(
  client: ReplyClient,
  databases: readonly number[],
): Promise<Map<string, KeyState>> {
  const state = new Map<string, KeyState>();
  for (const database of databases) {
    const [, keys] = await client.pipeline([
      ['SELECT', String(database)],
      ['KEYS', '*'],
    ]);
    const names = itemsOf(keys!)
      .map((reply) => textOf(reply)!)
      .sort();
    const facts = await client.pipeline(
      names.flatMap((name) => [
        ['TYPE', name],
        ['OBJECT', 'ENCODING', name],
        ['PEXPIRETIME', name],
      ]),
    );
    const contents = await client.pipeline(
      names.map((name, at) => (readers[textOf(facts[at * 3]!) ?? ''] ?? ((key) => ['DUMP', key]))(name)),
    );
    names.forEach((name, at) => {
      const type = textOf(facts[at * 3]!) ?? '';
      const encoding = textOf(facts[at * 3 + 1]!) ?? '';
      state.set(`${database}/${name}`, {
        name: `database ${database}, key ${quote(name)}`,
        type,
        encoding,
        expireAtMs: Number(textOf(facts[at * 3 + 2]!)),
        content: content(type, encoding, contents[at]!),
      });
    });
  }
  if (databases.length > 1 || databases[0] !== 0) await client.call(['SELECT', '0']);
  return state;
}

/** How far apart two deadlines may be that were set by the same relative expiry on two servers. */
const expiryToleranceMs = 5_000;

/** The first way in which two states differ, in words; undefined when they are equal. */
export function compareStates(
  reference: ReadonlyMap<string, KeyState>,
  target: ReadonlyMap<string, KeyState>,
): { key: string; reference: string; target: string } | undefined {
  for (const [id, here] of reference) {
    const there = target.get(id);
    if (!there) return { key: here.name, reference: `is there (${here.type})`, target: 'is absent' };
    for (const property of ['type', 'encoding', 'content'] as const) {
      if (here[property] !== there[property]) {
        return {
          key: here.name,
          reference: `${property}\n${here[property]}`,
          target: `${property}\n${there[property]}`,
        };
      }
    }
    const [a, b] = [here.expireAtMs, there.expireAtMs];
    if (a !== b && (a < 0 || b < 0 || Math.abs(a - b) > expiryToleranceMs)) {
      return { key: here.name, reference: `expires at ${a}`, target: `expires at ${b}` };
    }
  }
  for (const [id, there] of target) {
    if (!reference.has(id))
      return { key: there.name, reference: 'is absent', target: `is there (${there.type})` };
  }
  return undefined;
}
