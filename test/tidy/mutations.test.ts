/** The list of mutations is text about code: it must follow when the code moves. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mutations } from '../sim/mutation-list.js';
import { root } from './sources.js';

test('the text of each mutation stands in its file exactly once', () => {
  const lost = mutations.filter(({ file, from, to }) => {
    const places = readFileSync(join(root, file), 'utf8').split(from).length - 1;
    return places !== 1 || from === to;
  });
  assert.deepEqual(
    lost.map(({ name, file }) => `${name}: ${file}`),
    [],
  );
});
