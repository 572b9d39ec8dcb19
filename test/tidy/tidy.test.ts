/** What the compiler cannot see: which words may not stand where, and how large a file may grow. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { importGraph } from './import-graph.js';
import { code, filesBelow, root } from './sources.js';

const pure = [
  ...filesBelow('engine'),
  ...filesBelow('raft').filter((path) => !path.startsWith(join('raft', 'node'))),
];

/** Results that may differ between nodes, releases of V8 or settings of the machine. */
const impure: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\b|\bperformance\b/, 'reads a clock'],
  [/\bMath\.random\b/, 'draws chance that no entry seeded'],
  [/\blocaleCompare\b|\bIntl\b|\btoLocale/, "depends on the machine's language"],
  [
    /\bprocess\b|\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b|\bqueueMicrotask\b/,
    'reaches for the process or its timers',
  ],
  [/\bfrom 'node:(?!buffer)/, 'imports a part of Node that does I/O'],
  [
    /\bMath\.(sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|asinh|acosh|atanh|exp|expm1|log|log2|log10|log1p|pow|cbrt|hypot)\b/,
    'computes what releases of V8 may round differently',
  ],
];

function offences(path: string, source: string): string[] {
  const found: string[] = [];
  source.split('\n').forEach((line, at) => {
    for (const [pattern, why] of impure)
      if (pattern.test(line)) found.push(`${path}:${at + 1} ${why}: ${line.trim()}`);
  });
  return found;
}

test('engine and consensus core are deterministic', () => {
  assert.deepEqual(
    pure.flatMap((path) => offences(path, code(path))),
    [],
  );
});

test('the check sees what it looks for', () => {
  for (const line of [
    'const t = Date.now();',
    "import { readFileSync } from 'node:fs';",
    'Math.sin(x)',
    'a.localeCompare(b)',
  ]) {
    assert.equal(offences('x.ts', line).length, 1, line);
  }
});

/**
 * Ways to index an object by any text: then a stranger's `constructor` or `__proto__` finds what every object
 * inherits. The compiler refuses such an index but for these. A Map takes their place; `Object.hasOwn` asks
 * where `in` would look up the prototypes.
 */
const looseIndexes: readonly RegExp[] = [
  /(?<!\bsatisfies )\bRecord<string,/,
  /\[\w+: string\]:/,
  /\bas keyof\b|\bas any\b/,
  /(?<!\b(?:const|let) )\b[A-Za-z_$][\w$.]* in (?!keyof\b)[A-Za-z_$]/,
];

/**
 * Objects that only names of our own index: flags, environment, options; fields of what was decoded, each
 * read by its name.
 */
const ownNames: readonly (readonly [path: string, reason: string])[] = [
  ['src/cli/command-line.ts', 'keys of the option table; names of the environment'],
  ['src/cli/options.ts', 'the option table'],
  ['src/config/configuration.ts', 'walked by Object.entries'],
  ['src/embedding/options.ts', 'walked by Object.entries'],
  ['src/embedding/initial-configuration.ts', 'made by Object.fromEntries'],
  ['src/embedding/contents.ts', 'made by Object.fromEntries, walked by Object.entries'],
  ['src/embedding/plain-values.ts', 'made by Object.fromEntries, walked by Object.entries'],
  ['src/cluster/peer-requests.ts', 'fields read by their names'],
  ['raft/node/peer/peer-codec.ts', 'fields read by the names of the layout'],
  ['engine/lua/library/arguments.ts', 'natives as written, walked by Object.entries'],
  ['raft/node/directory/identity.ts', 'fields read by their names'],
];

/** Code without the text of its strings, which may speak English; what a template computes stays. */
const unquoted = (source: string): string =>
  source
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
    .replace(/`[^`\n]*`/g, (template) => (template.match(/\$\{[^}]*\}/g) ?? []).join(' '));

test('no object is indexed by what a stranger wrote', () => {
  const found: string[] = [];
  for (const path of ['engine', 'raft', 'src'].flatMap(filesBelow)) {
    if (ownNames.some(([exempt]) => exempt === path)) continue;
    unquoted(code(path))
      .split('\n')
      .forEach((line, at) => {
        if (looseIndexes.some((pattern) => pattern.test(line)))
          found.push(`${path}:${at + 1}: ${line.trim()}`);
      });
  }
  assert.deepEqual(found, []);
  for (const [path] of ownNames)
    assert.ok(
      looseIndexes.some((pattern) => pattern.test(unquoted(code(path)))),
      `${path} needs no exemption any more`,
    );
  for (const line of [
    'const units: Readonly<Record<string, bigint>> = {',
    '  readonly [name: string]: number;',
    'settings[name as keyof Settings]',
    'if (name in settings) settings[name] = 1;',
  ])
    assert.ok(
      looseIndexes.some((pattern) => pattern.test(unquoted(line))),
      line,
    );
});

test('a floor imports only floors below it', () => {
  const forbidden: readonly (readonly [folder: string, RegExp])[] = [
    ['engine', /from '(\.\.\/)+(raft|src|test|conformance|bench)\//],
    ['raft', /from '(\.\.\/)+(engine|src|test|conformance|bench)\//],
    ['src', /from '(\.\.\/)+(packaging|test|conformance|bench)\//],
  ];
  for (const [folder, pattern] of forbidden) {
    for (const path of filesBelow(folder)) assert.doesNotMatch(code(path), pattern, path);
  }
});

test('the program enters the lower floors by their front doors', () => {
  // The timers stand for Node's own, by the same names: where they come from must show.
  const doors = ['engine/index.ts', 'raft/index.ts', 'raft/node/index.ts', 'raft/node/timers.ts'];
  const floors = /^(engine|raft)\//;
  for (const [path, targets] of importGraph(['src']))
    for (const target of targets)
      assert.ok(!floors.test(target) || doors.includes(target), `${path} imports ${target}, which is inside`);
});

test('only the files of a value type and its descriptor name its encodings', () => {
  const own = [
    ...['engine/types', 'engine/values', 'engine/commands'].map((folder) => join(folder, '')),
    // Strings are storage's own: what SET stores needs no object and no descriptor.
    join('engine', 'storage', 'encoding.ts'),
    join('engine', 'storage', 'database.ts'),
    // DEBUG OBJECT says more of a list, as in Redis.
    join('src', 'commands', 'debug.ts'),
  ];
  for (const path of ['engine', 'src'].flatMap(filesBelow)) {
    if (own.some((prefix) => path.startsWith(prefix))) continue;
    assert.doesNotMatch(
      code(path),
      /\bEncoding\.(?!sparse|dense)[a-z]|'(list|zset|stream)' (===|!==)|(===|!==) '(list|zset|stream)'/,
      path,
    );
  }
});

test('each prescribed package is in use', () => {
  const sources = ['engine', 'raft', 'src', 'conformance'].flatMap(filesBelow).map(code).join('\n');
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of ['redis-parser', 'denque', 'sorted-btree', 'hyperloglog-lite', 'cbor-x', 'meow']) {
    assert.ok(name in dependencies, `${name} is no dependency`);
    assert.match(sources, new RegExp(`from '${name}['/]`), `${name} is imported nowhere`);
  }
});

/** Beyond this a file is asking to be two. */
const LINES_MAX = 600;
test('no file outgrows its subject', () => {
  const long = ['engine', 'raft', 'src', 'packaging', 'test', 'conformance', 'bench']
    .flatMap(filesBelow)
    .map(
      (path) => [relative('.', path), readFileSync(join(root, path), 'utf8').split('\n').length - 1] as const,
    )
    .filter(([, lines]) => lines > LINES_MAX);
  assert.deepEqual(long, []);
});

/** The formatter wraps code at this column, and leaves comments alone. */
const COLUMNS_MAX = 110;

test('comments are wrapped where code is; tables and addresses may be wider', () => {
  const long = ['engine', 'raft', 'src', 'packaging', 'test', 'conformance', 'bench']
    .flatMap(filesBelow)
    .map((path) => relative('.', path))
    .flatMap((path) =>
      readFileSync(join(root, path), 'utf8')
        .split('\n')
        .filter((line) => line.length > COLUMNS_MAX && /^ *(\/\*\*?|\*|\/\/) (?! )(?!\S+$)/.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
  assert.deepEqual(long, []);
});

test('nothing is skipped or left open', () => {
  for (const path of ['engine', 'raft', 'src', 'packaging', 'test', 'conformance', 'bench'].flatMap(
    filesBelow,
  )) {
    if (path.endsWith('tidy.test.ts')) continue;
    assert.doesNotMatch(code(path), /\b(it|test|describe)\.(skip|only|todo)\b|\bTODO\b|\bFIXME\b/, path);
  }
});

test('nodes keep their own time: timers and clocks come from raft/node/timers.ts', () => {
  const ofTheHost =
    /(?<![.\w])(Date\.now|performance\.|process\.nextTick|(setTimeout|setInterval|setImmediate|queueMicrotask)\()/;
  const itself = join('raft', 'node', 'timers.ts');
  const found: string[] = [];
  for (const path of [...filesBelow('src'), ...filesBelow(join('raft', 'node'))]) {
    // The command line has its process to itself.
    if (path === itself || path.startsWith(join('src', 'cli', ''))) continue;
    const source = code(path);
    const imports =
      source.match(/import \{[^}]*\} from '(?:\.\.?\/)+(?:raft\/node\/)?timers\.js'/)?.[0] ?? '';
    source.split('\n').forEach((line, at) => {
      const [, use, called] = ofTheHost.exec(line) ?? [];
      if (use !== undefined && (called === undefined || !imports.includes(called)))
        found.push(`${path}:${at + 1}: ${line.trim()}`);
    });
  }
  assert.deepEqual(found, []);
  assert.match('const t = setTimeout(f, 1);', ofTheHost);
});
