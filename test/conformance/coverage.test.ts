/** A command that nobody compares with redis-server must not slip in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedCommandFacts } from '../../conformance/command-facts.js';
import { commandsWithoutTranscript } from '../../conformance/coverage.js';
import { CommandCatalog } from '../../engine/command/facts.js';
import { engineCommands } from '../../engine/index.js';
import { programCommands } from '../../src/commands/index.js';

const catalog = new CommandCatalog([...engineCommands, ...programCommands]);

/** Commands of ours that redis-server lacks: their tests stand in test/cluster. */
const isOurs = (name: string): boolean => !recordedCommandFacts().has(name) && name.startsWith('raft');

/** Their replies are nothing at all. */
const incomparable = ['shutdown'];

test('every command has transcript lines', () => {
  const names = [...catalog.all()]
    .filter(({ facts, name }) => facts.kind !== 'container' && !isOurs(name) && !incomparable.includes(name))
    .map(({ name }) => name);
  assert.deepEqual(commandsWithoutTranscript(names), []);
});
