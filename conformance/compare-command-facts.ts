/** Holds the command table against what redis-server says of the same commands. */

import { commandDocs, commandInfo } from '../engine/command/catalog-replies.js';
import type { CommandCatalog } from '../engine/command/facts.js';
import { MapReply, type Reply, SetReply, Status } from '../engine/protocol/reply.js';
import { type KeySpecFacts, recordedCommandFacts } from './command-facts.js';

/** A reply of COMMAND as JSON would have it: maps as objects, sets as arrays, statuses as strings. */
export function jsonOf(reply: Reply): unknown {
  if (reply instanceof Status) return reply.text;
  if (reply instanceof SetReply) return reply.items.map(jsonOf);
  if (Array.isArray(reply)) return reply.map(jsonOf);
  if (!(reply instanceof MapReply)) return reply;
  const entries: [string, unknown][] = [];
  for (let i = 0; i < reply.items.length; i += 2) {
    entries.push([reply.items[i] as string, jsonOf(reply.items[i + 1])]);
  }
  return Object.fromEntries(entries);
}

/**
 * What our COMMAND INFO and COMMAND DOCS reply about a command, in the form of the record: without prose,
 * which is ours and differs. Undefined for a command that is not in the catalog.
 */
function factsOf(catalog: CommandCatalog, name: string): Record<string, unknown> | undefined {
  const [info] = jsonOf(commandInfo(catalog, [name])) as unknown[][];
  const docs = (jsonOf(commandDocs(catalog, [name])) as Record<string, Record<string, unknown>>)[name];
  if (info === null || docs === undefined) return undefined;
  const [, arity, flags, first, last, step, categories, tips, keySpecs, subcommands] = info;
  return {
    arity,
    flags,
    keyRange: [first, last, step],
    categories,
    tips,
    keySpecs: (keySpecs as KeySpecFacts[]).map((spec) =>
      spec.notes === undefined ? spec : { ...spec, notes: '' },
    ),
    group: docs.group,
    since: docs.since,
    docFlags: docs.doc_flags ?? [],
    ...(docs.deprecated_since === undefined ? {} : { deprecatedSince: docs.deprecated_since }),
    history: ((docs.history ?? []) as string[][]).map(([version]) => version),
    arguments: docs.arguments ?? [],
    subcommands: (subcommands as string[][]).map(([subcommand]) => subcommand).sort(),
  };
}

/**
 * Pairs of facts, ours and the server's, for each command of the catalog that Redis has too; `subcommands`
 * holds those that both have.
 * @returns name, our facts, the recorded facts
 */
export function comparedFacts(catalog: CommandCatalog): [name: string, ours: unknown, recorded: unknown][] {
  const records = recordedCommandFacts();
  const pairs: [string, unknown, unknown][] = [];
  for (const { name } of catalog.all()) {
    const recorded = records.get(name);
    if (recorded === undefined) continue;
    const ours = factsOf(catalog, name)!;
    const both = (ours.subcommands as string[]).filter((subcommand) => records.has(subcommand));
    const known = recorded.subcommands.filter((subcommand) => catalog.get(subcommand) !== undefined);
    pairs.push([name, { ...ours, subcommands: both }, { ...recorded, subcommands: known }]);
  }
  return pairs;
}
