import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorReply, type Reply } from '../../engine/protocol/reply.js';
import { defaultSettings, isSetting } from '../../engine/settings.js';
import { Configuration } from '../../src/config/configuration.js';
import { parseMemory, readBufferLimits } from '../../src/config/parameter-types.js';
import { configParameters } from '../../src/config/parameters.js';
import { settingOf } from '../../src/config/replicated-settings.js';

/** Enough of a glob for these tests. */
const matches = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i').test(text);

function get(configuration: Configuration, ...patterns: string[]): readonly Reply[] {
  return configuration.get(patterns, matches).items;
}

/** Sets, and returns the error or 'OK' as a client would see it. */
function set(configuration: Configuration, ...pairs: string[]): string {
  const changes = configuration.check(pairs);
  if (changes instanceof ErrorReply) return changes.text;
  configuration.apply(changes);
  return 'OK';
}

const failure = (name: string, reason: string): string =>
  `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;

test('every default is canonical, and every name is there once', () => {
  const names = new Set<string>();
  for (const { name, aliases, type, defaultValue } of configParameters) {
    assert.equal(type.parse(defaultValue, defaultValue), defaultValue, name);
    for (const each of [name, ...aliases]) {
      assert.ok(!names.has(each), each);
      names.add(each);
    }
  }
});

test('the replicated parameters are the settings that apply reads, with the same defaults', () => {
  const replicated = configParameters
    // The password is the default user's, and users are state of their own.
    .filter(({ effect, name }) => effect === 'replicated' && name !== 'requirepass')
    .map(({ name, defaultValue }) => [name, Number(settingOf(name, defaultValue))]);
  // DEBUG SET-ACTIVE-EXPIRE sets this one; Redis has no parameter for it.
  const { 'active-expire': _, ...settings } = defaultSettings;
  assert.deepEqual(Object.fromEntries(replicated), settings);
});

test('CONFIG GET finds by pattern, by name as it was written, by the names of older versions', () => {
  const configuration = new Configuration();
  assert.deepEqual(get(configuration, 'MaxMemory'), ['MaxMemory', '0']);
  assert.deepEqual(get(configuration, 'maxmemory', 'MAXMEMORY', 'maxmemory-s*'), [
    'maxmemory',
    '0',
    'maxmemory-samples',
    '5',
  ]);
  assert.deepEqual(get(configuration, 'hash-max-z*'), [
    'hash-max-ziplist-entries',
    '512',
    'hash-max-ziplist-value',
    '64',
  ]);
  assert.deepEqual(get(configuration, 'nosuch'), []);
  assert.equal(
    get(configuration, '*').length / 2,
    new Set(get(configuration, '*').filter((_, i) => i % 2 === 0)).size,
  );
});

test('CONFIG SET changes all or nothing', () => {
  const configuration = new Configuration();
  assert.equal(
    set(configuration, 'maxmemory', '1gb', 'timeout', 'x'),
    failure('timeout', "argument couldn't be parsed into an integer"),
  );
  assert.equal(configuration.integer('maxmemory'), 0);
  assert.equal(set(configuration, 'maxmemory', '1gb', 'TIMEOUT', '7'), 'OK');
  assert.equal(configuration.integer('maxmemory'), 1073741824);
  assert.equal(configuration.integer('timeout'), 7);
  assert.deepEqual(
    configuration.changed().map(({ parameter, value }) => [parameter.name, value]),
    [
      ['maxmemory', '1073741824'],
      ['timeout', '7'],
    ],
  );
});

test('CONFIG SET refuses in the words of Redis', () => {
  const configuration = new Configuration();
  const refused: [string[], string][] = [
    [['maxmemory', '1', 'x'], 'ERR syntax error'],
    [['timeout', '1', 'nosuch', '2'], "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"],
    [['databases', '3'], failure('databases', "can't set immutable config")],
    [['Dir', '/'], failure('Dir', "can't set protected config")],
    [['timeout', '1', 'timeout', '2'], failure('timeout', 'duplicate parameter')],
    [['activerehashing', '1'], failure('activerehashing', "argument must be 'yes' or 'no'")],
    [['maxmemory', '1.5gb'], failure('maxmemory', 'argument must be a memory value')],
    [['timeout', '-1'], failure('timeout', 'argument must be between 0 and 2147483647 inclusive')],
    [
      ['appendfsync', 'x'],
      failure('appendfsync', 'argument(s) must be one of the following: everysec, always, no'),
    ],
    [['save', '900 1 300'], failure('save', 'Invalid save parameters')],
  ];
  for (const [pairs, text] of refused) assert.equal(set(configuration, ...pairs), text);
  assert.deepEqual(configuration.changed(), []);
});

test('no client names a file that the node writes', () => {
  for (const [name, why] of [
    ['dir', 'protected'],
    ['dbfilename', 'protected'],
    ['aclfile', 'immutable'],
    ['logfile', 'immutable'],
    ['pidfile', 'immutable'],
  ])
    assert.equal(set(new Configuration(), name, '/tmp/x'), failure(name, `can't set ${why} config`));
});

test('values are replied in canonical form', () => {
  const canonical: [name: string, value: string, reply: string][] = [
    ['hash-max-ziplist-value', '5kb', '5120'],
    ['maxmemory', '3k', '3000'],
    ['maxmemory', '', '0'],
    ['maxmemory-policy', 'AllKeys-LRU', 'allkeys-lru'],
    ['maxmemory-clients', '50%', '50%'],
    ['notify-keyspace-events', 'KEA', 'AKE'],
    ['notify-keyspace-events', 'xe', 'xe'],
    ['hz', '1000', '500'],
    ['shutdown-on-sigterm', 'now save', 'save now'],
    ['latency-tracking-info-percentiles', '50 99.90', '50 99.9'],
    [
      'client-output-buffer-limit',
      'replica 1mb 2 3 pubsub 0 0 0',
      'normal 0 0 0 slave 1048576 2 3 pubsub 0 0 0',
    ],
  ];
  const configuration = new Configuration();
  for (const [name, value, reply] of canonical) {
    assert.equal(set(configuration, name, value), 'OK');
    assert.deepEqual(get(configuration, name), [name, reply]);
  }
  assert.deepEqual(readBufferLimits(configuration.text('client-output-buffer-limit')).slave, {
    hardBytes: 1048576,
    softBytes: 2,
    softSeconds: 3,
  });
});

test('a wrong value at start names parameter, value and what is allowed', () => {
  assert.throws(
    () => new Configuration({ databases: '0' }),
    /'databases' cannot be '0': allowed is 1\.\.2147483647/,
  );
  assert.throws(() => new Configuration({ nosuch: '0' }), /unknown parameter 'nosuch'/);
  assert.equal(new Configuration({ databases: '4' }).integer('databases'), 4);
});

/** What every object has without having been given it. */
const inherited = Object.getOwnPropertyNames(Object.prototype);

test('no parameter, unit or class is found by a name that objects inherit', () => {
  const configuration = new Configuration();
  for (const name of [...inherited, ...inherited.map((word) => word.toLowerCase())]) {
    for (const { name: parameter, immutable } of configParameters) {
      if (immutable) continue;
      for (const value of [`1${name}`, name, `normal 1${name} 0 0`, `normal 0 1${name} 0`, `${name} 0 0 0`])
        assert.match(
          set(configuration, parameter, value),
          /^(OK|ERR CONFIG SET failed)/,
          `${parameter} ${value}`,
        );
    }
    assert.match(set(configuration, 'maxmemory', `1${name}`), /must be a memory value/);
    assert.match(set(configuration, name, '1'), /Unknown option/);
    assert.equal(parseMemory(`1${name}`), undefined);
    assert.equal(isSetting(name), false);
  }
});
