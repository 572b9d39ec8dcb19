import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type KeySpecFacts,
  projectDirectory,
  recordedCommandFacts,
} from '../../conformance/command-facts.js';
import {
  findKeys,
  type KeyFlag,
  type KeySpec,
  legacyKeyRange,
  parseKeySpec,
} from '../../engine/command/key-positions.js';

/** A specification as Redis gives it, in our form. */
function specOf({ flags, begin_search, find_keys }: KeySpecFacts): KeySpec {
  const begin = begin_search.spec as { index: number; keyword: string; startfrom: number };
  const find = find_keys.spec as { lastkey: number; keystep: number; limit: number };
  return {
    flags: flags as KeyFlag[],
    begin:
      begin_search.type === 'index'
        ? { type: 'index', index: begin.index }
        : begin_search.type === 'keyword'
          ? { type: 'keyword', keyword: begin.keyword, startFrom: begin.startfrom }
          : { type: 'unknown' },
    find:
      find_keys.type === 'range'
        ? { type: 'range', lastKey: find.lastkey, step: find.keystep, limit: find.limit }
        : { type: find_keys.type as 'keynum' | 'unknown' },
  };
}

test('the keys of a command and what it does to them are those that Redis finds', () => {
  const facts = recordedCommandFacts();
  const lines = readFileSync(join(projectDirectory(), 'conformance', 'getkeys.txt'), 'utf8')
    .trimEnd()
    .split('\n');
  for (const line of lines.slice(1)) {
    const [command, expected] = line.split(' => ');
    const args = command.split(' ').map((word) => (word === '""' ? '' : word));
    const words = args.map((word) => word.toLowerCase());
    const name = facts.has(`${words[0]}|${words[1]}`) ? `${words[0]}|${words[1]}` : words[0];
    const keys = findKeys(name, facts.get(name)!.keySpecs.map(specOf), args);
    const found = keys?.map(({ position, flags }) => `${args[position]} (${flags.join(' ')})`).join(', ');
    assert.equal(found ?? 'ERR Invalid arguments specified for command', expected, line);
  }
  assert.ok(lines.length > 60);
});

test('the leading range of keys is the one that Redis derives, for each of its commands', () => {
  for (const [name, facts] of recordedCommandFacts()) {
    const { first, last, step, movable } = legacyKeyRange(facts.keySpecs.map(specOf));
    assert.deepEqual([first, last, step], facts.keyRange, name);
    assert.equal(movable, facts.flags.includes('movablekeys'), name);
  }
});

test('the notation of specifications', () => {
  const range = (lastKey: number, step = 1, limit = 0) => ({ type: 'range' as const, lastKey, step, limit });
  const index = (at: number) => ({ type: 'index' as const, index: at });
  assert.deepEqual(parseKeySpec('1 RO access'), { flags: ['RO', 'access'], begin: index(1), find: range(0) });
  assert.deepEqual(parseKeySpec('2..-1/2 OW'), { flags: ['OW'], begin: index(2), find: range(-1, 2) });
  assert.deepEqual(parseKeySpec('1..+1 RO'), { flags: ['RO'], begin: index(1), find: range(1) });
  assert.deepEqual(parseKeySpec('#2 RO; A note.'), {
    notes: 'A note.',
    flags: ['RO'],
    begin: index(2),
    find: { type: 'keynum' },
  });
  assert.deepEqual(parseKeySpec('KEYS@-2..-1/1/2 RW incomplete'), {
    flags: ['RW', 'incomplete'],
    begin: { type: 'keyword', keyword: 'KEYS', startFrom: -2 },
    find: range(-1, 1, 2),
  });
  assert.deepEqual(parseKeySpec('? RO'), {
    flags: ['RO'],
    begin: { type: 'unknown' },
    find: { type: 'unknown' },
  });
  for (const wrong of ['', 'x RO', '1 NO', '1.. RO', '1;RO']) {
    assert.throws(() => parseKeySpec(wrong), SyntaxError, wrong);
  }
});
