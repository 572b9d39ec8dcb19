import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArgumentFacts } from '../../conformance/command-facts.js';
import { recordedCommandFacts } from '../../conformance/command-facts.js';
import { comparedFacts, jsonOf } from '../../conformance/compare-command-facts.js';
import {
  commandDocs,
  commandGetKeys,
  commandInfo,
  commandList,
  containerHelp,
} from '../../engine/command/catalog-replies.js';
import { type CatalogRow, CommandCatalog } from '../../engine/command/facts.js';
import { type Argument, displaySyntax, formatSyntax, parseSyntax } from '../../engine/command/syntax.js';
import { engineCommands } from '../../engine/commands/index.js';
import { ErrorReply, type Reply } from '../../engine/protocol/reply.js';

const rows: CatalogRow[] = [
  {
    name: 'set',
    kind: 'write',
    arity: -3,
    flags: ['denyoom'],
    keys: '1 RW access update variable_flags',
    group: 'string',
    since: '1.0.0',
    summary: 'Stores a string.',
    history: [['6.2.0', 'GET.']],
    syntax: 'key value [condition:<NX | XX>@2.6.12] [GET@6.2.0]',
  },
  {
    name: 'ping',
    kind: 'other',
    arity: -1,
    flags: ['fast'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Pong.',
  },
  {
    name: 'object',
    kind: 'container',
    arity: -2,
    group: 'generic',
    since: '2.2.3',
    summary: 'Looks.',
    subcommands: [
      {
        name: 'object|help',
        kind: 'other',
        arity: 2,
        flags: ['loading', 'stale'],
        group: 'generic',
        since: '6.2.0',
        summary: 'Lists the subcommands.',
      },
      {
        name: 'object|freq',
        kind: 'read',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '4.0.0',
        tips: ['nondeterministic_output'],
        summary: 'Counts accesses.',
        syntax: 'key',
      },
    ],
  },
  {
    name: 'zunionstore',
    kind: 'write',
    arity: -4,
    keys: ['1 OW update', '#2 RO access'],
    group: 'sorted-set',
    since: '2.0.0',
    deprecatedSince: '9.0.0',
    replacedBy: '`NOTHING`',
    complexity: 'O(N)',
    summary: 'Stores.',
    syntax: 'destination:key numkeys:integer key:key#1 ... [WEIGHTS weight:integer ...]',
  },
];
const catalog = new CommandCatalog(rows);

/** A reply as JSON would have it; of an error, its text. */
function answer(reply: Reply): unknown {
  return reply instanceof ErrorReply ? reply.text : jsonOf(reply);
}

function treeOf(facts: readonly ArgumentFacts[]): Argument[] {
  return facts.map((fact) => ({
    name: fact.name,
    type: fact.type as Argument['type'],
    ...(fact.key_spec_index === undefined ? {} : { keySpecIndex: fact.key_spec_index }),
    ...(fact.token === undefined ? {} : { token: fact.token }),
    ...(fact.since === undefined ? {} : { since: fact.since }),
    ...(fact.deprecated_since === undefined ? {} : { deprecatedSince: fact.deprecated_since }),
    ...(fact.flags?.includes('optional') ? { optional: true as const } : {}),
    ...(fact.flags?.includes('multiple') ? { multiple: true as const } : {}),
    ...(fact.flags?.includes('multiple_token') ? { multipleToken: true as const } : {}),
    ...(fact.arguments === undefined ? {} : { arguments: treeOf(fact.arguments) }),
  }));
}

test('the notation of arguments says everything that COMMAND DOCS says, for each command of Redis', () => {
  let count = 0;
  for (const [name, facts] of recordedCommandFacts()) {
    const tree = treeOf(facts.arguments);
    assert.deepEqual(parseSyntax(formatSyntax(tree)), tree, name);
    count++;
  }
  assert.ok(count > 200);
});

test('COMMAND INFO and COMMAND DOCS of every command in the table are those of Redis, the prose aside', () => {
  const pairs = comparedFacts(new CommandCatalog(engineCommands));
  for (const [name, ours, recorded] of pairs) assert.deepEqual(ours, recorded, name);
  assert.ok(pairs.length >= 20);
});

test('a mistake in the notation is named with its place', () => {
  for (const wrong of ['[a', 'a ]', '<>', 'a:nosuchtype', '(', 'a & b', 'x=', '[]', 'name:<a>']) {
    assert.throws(() => parseSyntax(wrong), SyntaxError, wrong);
  }
});

test('arguments are displayed as in the documentation', () => {
  const display = (text: string): string => displaySyntax(parseSyntax(text));
  assert.equal(display('key [condition:<NX | XX>] [GET]'), 'key [NX | XX] [GET]');
  assert.equal(display('key (field value) ...'), 'key field value [field value ...]');
  assert.equal(display('key [GET pattern:pattern]...'), 'key [GET pattern [GET pattern ...]]');
  assert.equal(display('[WEIGHTS weight:integer ...]'), '[WEIGHTS weight [weight ...]]');
  assert.equal(display('where:<LEFT | RIGHT> [TYPE <A | B>]'), '<LEFT | RIGHT> [TYPE <A | B>]');
  assert.equal(display('<key | empty_string="">'), '<key | "">');
});

test('COMMAND INFO derives flags, categories and key range', () => {
  assert.deepEqual(jsonOf(commandInfo(catalog, ['SET', 'nosuch', 'object|FREQ', 'object|nosuch', 'set|x'])), [
    [
      'set',
      -3,
      ['write', 'denyoom'],
      1,
      1,
      1,
      ['@write', '@string', '@slow'],
      [],
      [
        {
          flags: ['RW', 'access', 'update', 'variable_flags'],
          begin_search: { type: 'index', spec: { index: 1 } },
          find_keys: { type: 'range', spec: { lastkey: 0, keystep: 1, limit: 0 } },
        },
      ],
      [],
    ],
    null,
    [
      'object|freq',
      3,
      ['readonly'],
      2,
      2,
      1,
      ['@keyspace', '@read', '@slow'],
      ['nondeterministic_output'],
      [
        {
          flags: ['RO'],
          begin_search: { type: 'index', spec: { index: 2 } },
          find_keys: { type: 'range', spec: { lastkey: 0, keystep: 1, limit: 0 } },
        },
      ],
      [],
    ],
    null,
    null,
  ]);
  const [, , , object, zunionstore] = [0, ...(jsonOf(commandInfo(catalog)) as unknown[][])];
  assert.deepEqual((object as unknown[]).slice(0, 9), ['object', -2, [], 0, 0, 0, ['@slow'], [], []]);
  assert.deepEqual(
    ((object as unknown[])[9] as unknown[][]).map(([name]) => name),
    ['object|help', 'object|freq'],
  );
  assert.deepEqual((zunionstore as unknown[]).slice(2, 6), [['write', 'movablekeys'], 1, 1, 1]);
});

test('COMMAND DOCS leaves out unknown commands and nests subcommands', () => {
  assert.deepEqual(jsonOf(commandDocs(catalog, ['zunionstore', 'nosuch', 'object'])), {
    zunionstore: {
      summary: 'Stores.',
      since: '2.0.0',
      group: 'sorted-set',
      complexity: 'O(N)',
      doc_flags: ['deprecated'],
      deprecated_since: '9.0.0',
      replaced_by: '`NOTHING`',
      arguments: [
        { name: 'destination', type: 'key', key_spec_index: 0 },
        { name: 'numkeys', type: 'integer' },
        { name: 'key', type: 'key', key_spec_index: 1, flags: ['multiple'] },
        { name: 'weight', type: 'integer', token: 'WEIGHTS', flags: ['optional', 'multiple'] },
      ],
    },
    object: {
      summary: 'Looks.',
      since: '2.2.3',
      group: 'generic',
      complexity: 'O(1)',
      subcommands: {
        'object|help': {
          summary: 'Lists the subcommands.',
          since: '6.2.0',
          group: 'generic',
          complexity: 'O(1)',
        },
        'object|freq': {
          summary: 'Counts accesses.',
          since: '4.0.0',
          group: 'generic',
          complexity: 'O(1)',
          arguments: [{ name: 'key', type: 'key', key_spec_index: 0 }],
        },
      },
    },
  });
});

test('COMMAND LIST filters by module, category and pattern', () => {
  const list = (...args: string[]): unknown =>
    answer(commandList(catalog, args, (pattern, text) => text.includes(pattern)));
  assert.deepEqual(list(), ['set', 'ping', 'object', 'object|help', 'object|freq', 'zunionstore']);
  assert.deepEqual(list('FILTERBY', 'aclcat', 'KEYSPACE'), ['object|help', 'object|freq']);
  assert.deepEqual(list('filterby', 'ACLCAT', 'nosuch'), []);
  assert.deepEqual(list('filterby', 'pattern', 'fre'), ['object|freq']);
  assert.deepEqual(list('filterby', 'module', 'x'), []);
  for (const wrong of [
    ['filterby'],
    ['filterby', 'aclcat'],
    ['x', 'aclcat', 'set'],
    ['filterby', 'x', 'y'],
  ]) {
    assert.equal(list(...wrong), 'ERR syntax error');
  }
});

test('COMMAND GETKEYS finds keys or says why not', () => {
  const keys = (line: string, withFlags = false): unknown =>
    answer(commandGetKeys(catalog, line.split(' '), withFlags));
  assert.deepEqual(keys('set k v'), ['k']);
  assert.deepEqual(keys('SET k v GET', true), [['k', ['RW', 'access', 'update']]]);
  assert.deepEqual(keys('set k v nx', true), [['k', ['OW', 'update']]]);
  assert.deepEqual(keys('object freq k', true), [['k', ['RO']]]);
  assert.deepEqual(keys('zunionstore d 2 a b', true), [
    ['d', ['OW', 'update']],
    ['a', ['RO', 'access']],
    ['b', ['RO', 'access']],
  ]);
  assert.deepEqual(keys('zunionstore d 2x a b', true), [
    ['a', []],
    ['b', []],
    ['d', []],
  ]);
  assert.equal(keys('zunionstore d 3 a b'), 'ERR Invalid arguments specified for command');
  assert.equal(keys('ping'), 'ERR The command has no key arguments');
  assert.equal(keys('object help'), 'ERR The command has no key arguments');
  assert.equal(keys('nosuch'), 'ERR Invalid command specified');
  assert.equal(keys('object nosuch k'), 'ERR Invalid command specified');
  assert.equal(keys('set k'), 'ERR Invalid number of arguments specified for command');
});

test('HELP lists the subcommands, itself last', () => {
  assert.deepEqual(jsonOf(containerHelp(catalog.get('object')!)), [
    'OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
    'FREQ key',
    '    Counts accesses.',
    'HELP',
    '    Lists the subcommands.',
  ]);
});

test('a table with a name twice is refused', () => {
  assert.throws(() => new CommandCatalog([rows[1], rows[1]]), /twice/);
});
