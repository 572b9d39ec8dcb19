import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectDirectory } from '../../conformance/command-facts.js';
import { formatInfo, humanBytes, type InfoSource } from '../../src/observability/info-text.js';

const source: InfoSource = {
  server: {
    redraftVersion: '1.2.3',
    mode: 'standalone',
    os: 'Linux',
    archBits: 64,
    nodeVersion: 'v20.0.0',
    processId: 7,
    runId: 'a'.repeat(40),
    tcpPort: 7481,
    tls: [],
    timeUs: 1700000000000001,
    uptimeSeconds: 200000,
    hz: 10,
    lruClockSeconds: 16777217,
    executable: '/bin/node',
    configFile: '',
  },
  clients: {
    connected: 1,
    maximum: 10000,
    largestInputBuffer: 2,
    largestOutputBuffer: 3,
    blocked: 4,
    withTimeout: 5,
    tracking: 0,
  },
  memory: {
    used: 3_000_000,
    resident: 6_000_000,
    peak: 4_000_000,
    overhead: 1_000_000,
    atStartup: 500_000,
    heapUsed: 1_000_000,
    heapTotal: 2_000_000,
    system: 8 * 1024 ** 3,
    clients: 6,
    logBuffer: 7,
    maximum: 0,
    policy: 'noeviction',
  },
  scripts: { cached: 1, cachedBytes: 8, functions: 3, libraries: 2, libraryBytes: 100 },
  persistence: {
    loading: undefined,
    changesSinceSnapshot: 1,
    snapshotRunning: true,
    lastSnapshotTimeSeconds: 1700000000,
    lastSnapshotSucceeded: true,
    lastSnapshotDurationSeconds: -1,
    currentSnapshotDurationSeconds: 2,
    snapshots: 3,
    keysLoaded: 4,
    keysExpiredAtLoad: 5,
  },
  stats: {
    connectionsReceived: 1,
    commandsProcessed: 2,
    operationsPerSecond: 3,
    inputBytes: 4,
    outputBytes: 5,
    peerInputBytes: 6,
    peerOutputBytes: 7,
    inputBytesPerSecond: 1536,
    outputBytesPerSecond: 0,
    connectionsRejected: 8,
    snapshotsSent: 9,
    keysExpired: 10,
    keysEvicted: 11,
    keyspaceHits: 12,
    keyspaceMisses: 13,
    channels: 3,
    patterns: 2,
    shardChannels: 1,
    trackedKeys: 0,
    trackedItems: 0,
    trackedPrefixes: 0,
    errorReplies: 14,
    reads: 15,
    writes: 16,
  },
  replication: {
    role: 'leader',
    followers: [{ host: '127.0.0.1', port: 7482, state: 'online', matchIndex: 99, lagSeconds: 0 }],
    clusterId: 'b'.repeat(40),
    logIndex: 100,
    firstLogIndex: 1,
  },
  cpu: { systemSeconds: 1.5, userSeconds: 2.25 },
  raft: [['raft_term', 3]],
  commands: [
    { name: 'get', calls: 4, durationUs: 10.5, rejected: 1, failed: 2, percentilesUs: [[50, 1.003]] },
    { name: 'set', calls: 1, durationUs: 1, rejected: 0, failed: 0, percentilesUs: [] },
  ],
  errors: [['WRONGTYPE', 2]],
  databases: [
    { index: 0, keys: 2, expires: 1, averageTtlMs: 99.9 },
    { index: 1, keys: 0, expires: 0, averageTtlMs: 0 },
  ],
};

const names = (text: string): string[] =>
  text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':')[0]);

test('INFO has the sections and fields of Redis, in its order', () => {
  const text = readFileSync(join(projectDirectory(), 'conformance', 'info-fields.txt'), 'utf8');
  const recorded = text.trimEnd().split('\n').slice(1);
  const known = new Set(recorded);
  assert.deepEqual(
    names(
      formatInfo(['everything'], { ...source, replication: { ...source.replication, followers: [] } }),
    ).filter((name) => known.has(name)),
    recorded,
  );
});

test('without arguments INFO leaves out statistics by command', () => {
  const sections = (...requested: string[]): string =>
    names(formatInfo(requested, source))
      .filter((name) => name.startsWith('# '))
      .map((name) => name.slice(2))
      .join(' ');
  const usual =
    'Server Clients Memory Persistence Stats Replication Raft CPU Modules Errorstats Cluster Keyspace';
  assert.equal(sections(), usual);
  assert.equal(sections('default'), usual);
  assert.equal(sections('KEYSPACE', 'nosuch', 'cpu'), 'CPU Keyspace');
  assert.equal(sections('nosuch'), '');
  assert.equal(sections('default', 'latencystats'), usual.replace('Cluster', 'Latencystats Cluster'));
  assert.equal(sections('all'), usual.replace('Errorstats', 'Commandstats Errorstats Latencystats'));
});

test('sections are separated by an empty line, fields written as Redis does', () => {
  assert.equal(
    formatInfo(['commandstats', 'errorstats', 'latencystats', 'keyspace'], source),
    '# Commandstats\r\n' +
      'cmdstat_get:calls=4,usec=10,usec_per_call=2.63,rejected_calls=1,failed_calls=2\r\n' +
      'cmdstat_set:calls=1,usec=1,usec_per_call=1.00,rejected_calls=0,failed_calls=0\r\n' +
      '\r\n# Errorstats\r\nerrorstat_WRONGTYPE:count=2\r\n' +
      '\r\n# Latencystats\r\nlatency_percentiles_usec_get:p50=1.003\r\n' +
      '\r\n# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=99\r\n',
  );
  const lines = formatInfo(['all'], source).split('\r\n');
  for (const line of [
    'used_memory_human:2.86M',
    'used_memory_dataset_perc:80.00%',
    'mem_fragmentation_ratio:2.00',
    'lru_clock:1',
    'uptime_in_days:2',
    'instantaneous_input_kbps:1.50',
    'slave0:ip=127.0.0.1,port=7482,state=online,offset=99,lag=0',
    'used_cpu_user:2.250000',
    'raft_term:3',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('a follower says where its leader is', () => {
  const { clusterId, logIndex, firstLogIndex } = source.replication;
  const follower = { role: 'follower' as const, followers: [], clusterId, logIndex, firstLogIndex };
  const text = (leader?: {
    host: string;
    port: number;
    isReached: true;
    secondsSinceContact: number;
  }): string =>
    formatInfo(['replication'], { ...source, replication: leader ? { ...follower, leader } : follower });
  assert.match(
    text({ host: 'a', port: 7, isReached: true, secondsSinceContact: 1 }),
    /role:slave\r\nmaster_host:a\r\nmaster_port:7\r\nmaster_link_status:up\r\n/,
  );
  assert.match(text(), /master_link_status:down/);
});

test('bytes for people', () => {
  assert.deepEqual([0, 1023, 1024, 1039768, 1058536, 25276514304].map(humanBytes), [
    '0B',
    '1023B',
    '1.00K',
    '1015.40K',
    '1.01M',
    '23.54G',
  ]);
});
