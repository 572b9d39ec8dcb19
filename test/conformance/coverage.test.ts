/** A command that nobody compares with redis-server must not slip in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedCommandFacts } from '../../conformance/command-facts.js';
import { commandsWithoutTranscript } from '../../conformance/coverage.js';
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
