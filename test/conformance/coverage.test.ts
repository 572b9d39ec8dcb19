/** A command that nobody compares with redis-server must not slip in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedCommandFacts } from '../../conformance/command-facts.js';
import { commandsWithoutTranscript } from '../../conformance/coverage.js';
import { Random } from '../../conformance/live/random.js';
import { generateUnits, loadFamilies } from '../../conformance/live/run-family.js';
import { CommandCatalog } from '../../engine/command/facts.js';
import { engineCommands } from '../../engine/index.js';
import { programCommands } from '../../src/commands/index.js';

const catalog = new CommandCatalog([...engineCommands, ...programCommands]);

/**
 * Commands of ours, and of Redis 7.2, that redis-server 7.0 lacks: test/cluster and test/discovery hold their
 * tests.
 */
const isOurs = (name: string): boolean =>
  !recordedCommandFacts().has(name) &&
  (name.startsWith('raft') || ['cluster|myshardid', 'waitaof'].includes(name));

/**
 * A redis-server knows SENTINEL only as a sentinel, which knows nothing else: test/discovery holds it to what
 * redis-sentinel answers.
 */
const isSentinels = (name: string): boolean => name.startsWith('sentinel|');

test('every command has transcript lines', () => {
  const names = [...catalog.all()]
    .filter(({ facts, name }) => facts.kind !== 'container' && !isOurs(name) && !isSentinels(name))
    .map(({ name }) => name);
  assert.deepEqual(commandsWithoutTranscript(names), []);
});

/** Commands of the engine that no generator sends as they are, and what compares them instead. */
const comparedElsewhere: ReadonlyMap<string, string> = new Map([
  ['scan', 'generators/scan.ts walks whole keyspaces: cursors differ'],
  ['publish', 'transcripts/pubsub.txt: its outcome is what subscribers hear'],
  ['spublish', 'transcripts/pubsub.txt: its outcome is what subscribers hear'],
  ['script|debug', 'transcripts/scripting.txt: refused in every form'],
  ['function|dump', 'transcripts/functions.txt: payloads of both servers'],
  ['function|restore', 'transcripts/functions.txt: payloads of both servers'],
]);

test('a generator sends every command that works on data', async () => {
  const sent = new Set<string>();
  for (const family of await loadFamilies([])) {
    for (const { commands = [] } of generateUnits(family, new Random(1), 3_000)) {
      for (const { words } of commands) {
        const [name, subcommand = ''] = words.map((word) => word.toLowerCase());
        sent.add(name!).add(`${name}|${subcommand}`);
      }
    }
  }
  const missing = [...new CommandCatalog(engineCommands).all()]
    .filter(({ facts, name }) => facts.kind !== 'container' && !sent.has(name))
    .map(({ name }) => name);
  assert.deepEqual(missing.sort(), [...comparedElsewhere.keys()].sort());
});
