import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { commandsPage, commandsPageFile, currentCommandsPage } from '../../conformance/commands-page.js';
import { CommandCatalog } from '../../engine/command/facts.js';

test('docs/COMMANDS.md is what the command table says: else run npm run docs:commands', () => {
  assert.equal(readFileSync(commandsPageFile, 'utf8'), currentCommandsPage());
});

test('a difference stands in the row of its command', () => {
  const catalog = new CommandCatalog([
    {
      name: 'lset',
      kind: 'write',
      arity: 4,
      group: 'list',
      since: '1.0.0',
      summary: 'Replaces.',
      syntax: 'key where:<A | B>',
      deprecatedSince: '9.0.0',
      replacedBy: '`X`',
    },
  ]);
  const page = commandsPage(catalog, [
    { command: /^LSET\b/is, reason: 'It is green.' },
    { command: /^LREM\b/is, reason: 'It is blue.' },
  ]);
  assert.ok(
    page.includes(
      '| `LSET key <A \\| B>` | Replaces. | 1.0.0 | O(1) | Deprecated in Redis 9.0.0: use `X`. It is green. |',
    ),
  );
  assert.ok(!page.includes('blue'));
});
