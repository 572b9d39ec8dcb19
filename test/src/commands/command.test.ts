import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparedFacts, jsonOf } from '../../../conformance/compare-command-facts.js';
import { CommandTable } from '../../../engine/command/command-table.js';
import { CommandCatalog } from '../../../engine/command/facts.js';
import { engineCommands } from '../../../engine/commands/index.js';
import { ErrorReply, type Reply } from '../../../engine/protocol/reply.js';
import { RequestBuilder } from '../../../engine/protocol/request.js';
import type { Connection } from '../../../src/client/connection.js';
import { commandContainer } from '../../../src/commands/command.js';
import type { ProgramCommand } from '../../../src/commands/program-command.js';
import type { Server } from '../../../src/server.js';

const commands = [commandContainer, ...engineCommands];
const table = new CommandTable(commands);
/** The handlers look at nothing else of a server. */
const server = { catalog: new CommandCatalog(commands) } as Server;

/** What a client would get for the words, as JSON would have it; of an error, its text. */
function call(line: string): unknown {
  const builder = new RequestBuilder().start();
  for (const word of line.split(' ')) builder.latin1(word);
  const row = table.resolve(builder.request);
  if (row instanceof ErrorReply) return row.text;
  const reply = (row as ProgramCommand).handler.run(builder.request, {} as Connection, server) as Reply;
  return reply instanceof ErrorReply ? reply.text : jsonOf(reply);
}

test('COMMAND alone and COMMAND INFO without names describe every command', () => {
  assert.equal((call('command') as unknown[]).length, commands.length);
  assert.deepEqual(call('COMMAND INFO'), call('command'));
  assert.equal(call('command count'), commands.length);
});

test('subcommands are found in any case, their arguments counted', () => {
  assert.deepEqual(call('command getkeys GET k'), ['k']);
  assert.deepEqual(call('COMMAND GetKeysAndFlags mset a 1 b 2'), [
    ['a', ['OW', 'update']],
    ['b', ['OW', 'update']],
  ]);
  assert.deepEqual(call('command list filterby pattern COMMAND|I*'), ['command|info']);
  assert.deepEqual(Object.keys(call('command docs get nosuch command|docs') as object), [
    'get',
    'command|docs',
  ]);
  assert.equal(
    (call('command help') as unknown[])[0],
    'COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  );
  assert.equal(call('command nosuch'), "ERR unknown subcommand 'nosuch'. Try COMMAND HELP.");
  assert.equal(call('command getkeys get'), "ERR wrong number of arguments for 'command|getkeys' command");
  assert.equal(call('command count 1'), "ERR wrong number of arguments for 'command|count' command");
});

test('the facts of COMMAND and its subcommands are those of Redis', () => {
  const pairs = comparedFacts(server.catalog).filter(([name]) => name.startsWith('command'));
  assert.equal(pairs.length, 8);
  for (const [name, ours, recorded] of pairs) assert.deepEqual(ours, recorded, name);
});
