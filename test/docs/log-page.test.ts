/** docs/LOG.md has every event and field of the log. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { code, filesBelow, root } from '../tidy/sources.js';

const page = readFileSync(join(root, 'docs/LOG.md'), 'utf8');
const [head, events] = page.split('## Events\n') as [string, string];

test('docs/LOG.md lists the events that there are', () => {
  const listed = [...events.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([a-z-]+)`/g)].map(([, event]) => event!),
  );
  const sources = filesBelow('src').map(code).join('\n');
  // Calls of a log and its own lines; snapshots have events of another kind.
  const logged = [...sources.matchAll(/\bevent: '([a-z-]+)'(?! \|)/g)].map(([, event]) => event!);
  assert.ok(logged.length > 50);
  assert.deepEqual(listed.sort(), [...new Set(logged)].sort());
});

test('docs/LOG.md lists the fields that there are', () => {
  const [, fields] = /interface LogFields \{([\s\S]*?)\n\}/.exec(code('src/observability/log.ts'))!;
  const names = [...fields!.matchAll(/readonly (\w+)\?:/g)].map(([, name]) => name!);
  const [, listed] = /^Fields beside `event`.*?: ([\s\S]*?)\.\n/m.exec(head)!;
  assert.deepEqual(
    [...listed!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
    names,
  );
});
