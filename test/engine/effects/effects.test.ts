/** What entries do, told as commands: another engine that runs them holds the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../conformance/live/random.js';
import { generateUnits, loadFamilies } from '../../../conformance/live/run-family.js';
import {
  type Command,
  EffectRecorder,
  Engine,
  engineCommands,
  hasEffectRule,
  ReplyError,
} from '../../../engine/index.js';
import { DatasetDigest } from '../../../src/observability/dataset-digest.js';
import { defaultRequestLimits, RequestParser } from '../../../src/resp/request-parser.js';

const NOW = 1_700_000_000_000;

class Pair {
  readonly leader = new Engine({ seed: 3 });
  readonly replica = new Engine({ seed: 4 });
  readonly told: string[] = [];
  private readonly recorder: EffectRecorder;
  private readonly parser = new RequestParser(defaultRequestLimits);

  constructor() {
    this.recorder = new EffectRecorder(this.leader.keyspace, {
      write: (bytes) => this.run(bytes),
      failed: (error) => assert.fail(error as Error),
    });
    this.leader.keyspace.listen(this.recorder);
    this.leader.effects = this.recorder;
    for (const engine of [this.leader, this.replica]) engine.setTime(NOW);
  }

  private run(bytes: Buffer): void {
    this.parser.feed(bytes);
    while (this.parser.next()) {
      const { request } = this.parser;
      const args = Array.from({ length: request.count }, (_, i) => Buffer.from(request.latin1(i), 'latin1'));
      this.told.push(args.map((arg) => arg.latin1Slice()).join(' '));
      this.replica.callBuffer(...args);
    }
    this.parser.hold();
  }

  call(...args: string[]): void {
    try {
      this.leader.callBuffer(...args.map((arg) => Buffer.from(arg, 'latin1')));
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
    }
    // An entry says so itself, behind each of its items.
    this.recorder.settled(true);
  }

  /** Commands that were told since the last call, without SELECT. */
  take(): string[] {
    return this.told.splice(0).filter((text) => !text.startsWith('SELECT '));
  }

  assertSame(what: string): void {
    const digest = new DatasetDigest(this.replica).ofAll();
    assert.equal(digest, new DatasetDigest(this.leader).ofAll(), what);
  }
}

test('random commands of all families', async () => {
  const names = 'bitmaps dump geo hashes hyperloglog keys lists sets sort streams strings zsets'.split(' ');
  for (const family of await loadFamilies(names)) {
    const pair = new Pair();
    for (const { commands = [] } of generateUnits(family, new Random(11), 120)) {
      for (const { words } of commands) {
        pair.call(...words);
        if (pair.told.length > 40) pair.told.length = 0;
      }
    }
    pair.assertSame(`${family.name}`);
  }
});

const rows: [name: string, command: string, effects: string[]][] = [
  ['as it came', 'SET k v', ['SET k v']],
  ['nothing changed', 'SADD s a', []],
  ['a relative deadline', 'SET k v EX 10', [`SET k v PXAT ${NOW + 10_000}`]],
  ['a deadline kept', 'SET k w KEEPTTL', [`SET k w PXAT ${NOW + 10_000}`]],
  ['a deadline taken', 'GETEX k PERSIST', ['PERSIST k']],
  ['a deadline', 'EXPIRE k 5', [`PEXPIREAT k ${NOW + 5000}`]],
  ['a deadline that has passed', 'EXPIRE k -1', ['DEL k']],
  ['a sum that machines print differently', 'INCRBYFLOAT f 0.1', ['SET f 0.1 KEEPTTL']],
  ['chance', 'SPOP s 5', ['SREM s a']],
  ['who need not wait', 'BLPOP none l 0', ['LPOP l']],
  ['several from the other end', 'BLMPOP 0 2 none l RIGHT COUNT 2', ['LMPOP 1 l RIGHT COUNT 2']],
  ['an id', 'XADD x 7-* f v', ['XADD x 7-0 f v']],
  [
    'an id and a length',
    'XADD x MAXLEN ~ 100 8-* f v',
    ['MULTI', 'XADD x 8-0 f v', 'XTRIM x MAXLEN = 2', 'EXEC'],
  ],
  ['a group', 'XGROUP CREATE x g 0', ['XGROUP CREATE x g 0']],
  [
    'what is pending',
    'XREADGROUP GROUP g c STREAMS x >',
    [
      'MULTI',
      'XGROUP CREATECONSUMER x g c',
      `XCLAIM x g c 0 7-0 8-0 TIME ${NOW} RETRYCOUNT 1 FORCE JUSTID`,
      'XGROUP SETID x g 8-0 ENTRIESREAD 2',
      'EXEC',
    ],
  ],
  ['nothing new', 'XREADGROUP GROUP g c STREAMS x >', []],
  ['no such request', 'XREADGROUP GROUP g c COUNT', []],
  [
    'a script',
    'EVAL redis.call("set","a",1)redis.call("expire","a",9) 0',
    ['MULTI', 'set a 1', `PEXPIREAT a ${NOW + 9000}`, 'EXEC'],
  ],
  ['no rule', 'SORT l STORE d', []],
  ['all', 'FLUSHALL', ['FLUSHALL']],
];

test('one effect for each kind of command', () => {
  const pair = new Pair();
  pair.call('SADD', 's', 'a');
  pair.call('RPUSH', 'l', '1', '2', '3', '4');
  pair.take();
  for (const [name, command, effects] of rows) {
    pair.call(...command.split(' '));
    const told = pair.take();
    if (name === 'no rule') assert.match(told[0], /^RESTORE d 0 .* REPLACE$|^DEL d$/s, name);
    else assert.deepEqual(told, effects, name);
    pair.assertSame(name);
  }
});

test('a transaction stays one; a key whose time has come is deleted before it is written', () => {
  const pair = new Pair();
  pair.call('SET', 'k', 'v', 'PX', '10');
  pair.take();
  pair.leader.setTime(NOW + 20);
  for (const words of ['MULTI', 'APPEND k w', 'SELECT 2', 'SET k x', 'EXEC']) pair.call(...words.split(' '));
  assert.deepEqual(pair.told, ['MULTI', 'DEL k', 'APPEND k w', 'SELECT 2', 'SET k x', 'EXEC']);
});

test('every command that writes has a rule, or is known to be told by the state that it leaves', () => {
  const without = engineCommands
    .flatMap((row): readonly Command[] => ('subcommands' in row ? row.subcommands : [row]))
    .filter((row) => row.kind === 'write' && !row.runsScripts && !hasEffectRule(row.name))
    .map(({ name }) => name);
  assert.deepEqual(without.sort(), [
    'georadius',
    'georadiusbymember',
    'geosearchstore',
    'pfdebug',
    'restore',
    'sort',
  ]);
});
