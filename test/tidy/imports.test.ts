/**
 * No file imports itself, however long the way round. Types count: whoever reads a file has to know what it
 * imports. A file that needs something of one above it declares what, and is given it: commands import
 * `client/client.ts` and `commands/node-context.ts`, not the connection and the server that implement them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { circles, importGraph, relativeImports } from './import-graph.js';

const graph = importGraph(['engine', 'raft', 'src', 'packaging', 'conformance', 'test', 'bench']);

test('no imports go in a circle', () => {
  assert.deepEqual(circles(graph), []);
});

test('circles are found, the long and the short', () => {
  const edges: [string, string[]][] = [
    ['a', ['b', 'e']],
    ['b', ['c']],
    ['c', ['d', 'a']],
    ['d', []],
    ['e', ['f', 'd']],
    ['f', ['e']],
    ['g', ['g', 'a']],
  ];
  assert.deepEqual(circles(new Map(edges)), [['a', 'b', 'c'], ['e', 'f'], ['g']]);
});

test('each form of import is seen', () => {
  const source = [
    "import './a.js';",
    "import type { B } from '../b.js';",
    "import {\n  type C,\n  c,\n} from './c.js';",
    "export * from './d.js';",
    "const e = await import('./e.js');",
    "let f: import('./f.js').F;",
    "import fs from 'node:fs';",
  ].join('\n');
  assert.deepEqual(relativeImports(source), ['./a.js', '../b.js', './c.js', './d.js', './e.js', './f.js']);
  assert.ok(graph.size > 500, 'the sources were found');
  assert.ok(graph.get('src/server.ts')!.includes('engine/index.ts'), 'imports lead across folders');
});
