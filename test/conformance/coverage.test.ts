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

/**
 * SHUTDOWN replies nothing at all; what would make a replica of the node says what to do instead; and what speaks of the cluster names its
 * nodes and addresses. test/discovery holds those to what redis-server and redis-sentinel answer.
 */
const isIncomparable = (name: string, group: string): boolean =>
  group === 'cluster' || ['shutdown', 'failover', 'replicaof', 'slaveof'].includes(name);

test('every command has transcript lines', () => {
  const names = [...catalog.all()]
    .filter(
      ({ facts, name }) => facts.kind !== 'container' && !isOurs(name) && !isIncomparable(name, facts.group),
    )
    .map(({ name }) => name);
  assert.deepEqual(commandsWithoutTranscript(names), []);
});
