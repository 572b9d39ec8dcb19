/** What the servers are driven with: one row a mix. */
import { createHash } from 'node:crypto';
import { load, padded } from './pipelined-client.js';

export interface Workload {
  readonly name: string;
  /**
   * What redis-benchmark runs: one of its own tests, or a command in which `__rand_int__` is a random number
   * of 12 digits.
   */
  readonly test?: string;
  readonly command?: readonly string[];
  /** A mix of commands that redis-benchmark has no words for; it is run by our own client. */
  readonly mix?: (random: () => number) => readonly (string | number)[];
  /** Random numbers are below this. */
  readonly keys: number;
  readonly valueBytes?: number;
  /** Fills the keyspace before the first round. */
  readonly prepare?: (port: number) => Promise<void>;
  /** At most so many requests a round: the keyspace holds no more. */
  readonly requestsMax?: number;
}

const million = 1_000_000;
const value16 = 'v'.repeat(16);
const fields = [1, 2, 3, 4, 5].flatMap((i) => [`field${i}`, value16]);

const entryFields = [1, 2, 3].flatMap((i) => [`field${i}`, value16]);
const fillStream = (port: number): Promise<void> =>
  load(port, million, (i) => ['XADD', 'stream', `${i + 1}-1`, ...entryFields]);
const fillGroup = async (port: number): Promise<void> => {
  await fillStream(port);
  await load(port, 1, () => ['XGROUP', 'CREATE', 'stream', 'group', '0']);
};

/** So many entries behind the one that is read comes an acknowledgement: more than requests are in flight. */
const ACK_LAG = 2000;
const requestsOfRound = new WeakMap<() => number, number>();

/** An entry is read, and one that was read some time ago acknowledged; each round begins at the first. */
function readAndAcknowledge(random: () => number): readonly (string | number)[] {
  const number = requestsOfRound.get(random) ?? 0;
  requestsOfRound.set(random, number + 1);
  if (number === 0) return ['XGROUP', 'SETID', 'stream', 'group', '0'];
  if (number % 2 === 1)
    return ['XREADGROUP', 'GROUP', 'group', 'consumer', 'COUNT', '1', 'STREAMS', 'stream', '>'];
  return ['XACK', 'stream', 'group', `${Math.max(1, number / 2 - ACK_LAG)}-1`];
}

const fillStrings = (port: number): Promise<void> =>
  load(port, million, (i) => ['SET', `key:${padded(i)}`, value16]);
const fillHashes = (port: number): Promise<void> =>
  load(port, 100_000, (i) => ['HSET', `hash:${padded(i)}`, ...fields]);
const fillSortedSet = async (port: number): Promise<void> => {
  await load(port, million / 20, (batch) => [
    'ZADD',
    'zset',
    ...Array.from({ length: 20 }, (_, j) => [
      ((batch * 20 + j) * 7919) % 1_000_003,
      `member:${padded(batch * 20 + j)}`,
    ]).flat(),
  ]);
};

/** A script of the cache, which is put there first, with keys of random numbers. */
function script(
  name: string,
  source: string,
  keys: number,
  fill: (port: number) => Promise<void> = async () => {},
): Workload {
  const sha = createHash('sha1').update(source).digest('hex');
  return {
    name,
    command: ['EVALSHA', sha, '1', 'key:__rand_int__', value16],
    keys,
    prepare: async (port) => {
      await load(port, 1, () => ['SCRIPT', 'LOAD', source]);
      await fill(port);
    },
  };
}

/** What a job queue's scripts do with a job: a number, its hash, a list, and the job taken off it again. */
const JOB_SCRIPT = `
local id = redis.call('INCR', KEYS[1] .. ':id')
local job = KEYS[1] .. ':' .. id
redis.call('HSET', job, 'name', 'paint', 'data', ARGV[1], 'opts', '{}', 'timestamp', 1700000000000)
redis.call('LPUSH', KEYS[1] .. ':wait', id)
redis.call('XADD', KEYS[1] .. ':events', 'MAXLEN', '~', 100, '*', 'event', 'added', 'jobId', id)
local taken = redis.call('RPOPLPUSH', KEYS[1] .. ':wait', KEYS[1] .. ':active')
if taken then
  redis.call('HSET', job, 'processedOn', 1700000000001)
  redis.call('SET', job .. ':lock', 'token', 'PX', 30000)
  redis.call('HGETALL', job)
  redis.call('LREM', KEYS[1] .. ':active', 1, taken)
  redis.call('DEL', job .. ':lock')
  redis.call('DEL', job)
end
return taken`;

export const workloads: readonly Workload[] = [
  { name: 'SET', test: 'set', keys: million, valueBytes: 16 },
  { name: 'GET', test: 'get', keys: million, valueBytes: 16, prepare: fillStrings },
  {
    name: '90% GET, 10% SET',
    keys: million,
    prepare: fillStrings,
    mix: (random) => {
      const key = `key:${padded(Math.floor(random() * million))}`;
      return random() < 0.9 ? ['GET', key] : ['SET', key, value16];
    },
  },
  { name: 'INCR', test: 'incr', keys: million },
  { name: 'MSET of 10', test: 'mset', keys: million, valueBytes: 16 },
  { name: 'SETEX 1 s', command: ['SETEX', 'key:__rand_int__', '1', value16], keys: million },
  { name: 'LPUSH', test: 'lpush', keys: million, valueBytes: 16 },
  {
    name: 'LRANGE of 100',
    command: ['LRANGE', 'list', '0', '99'],
    keys: million,
    prepare: (port) => load(port, 1000, () => ['RPUSH', 'list', value16]),
  },
  { name: 'HSET of 5 fields', command: ['HSET', 'hash:__rand_int__', ...fields], keys: 100_000 },
  { name: 'HGETALL of 5', command: ['HGETALL', 'hash:__rand_int__'], keys: 100_000, prepare: fillHashes },
  {
    name: 'ZADD, 1M members',
    command: ['ZADD', 'zset', '__rand_int__', 'member:__rand_int__'],
    keys: million,
    prepare: fillSortedSet,
  },
  {
    name: 'ZRANGE of 10 in 1M',
    command: ['ZRANGE', 'zset', '__rand_int__', '+inf', 'BYSCORE', 'LIMIT', '0', '10'],
    keys: million,
    prepare: fillSortedSet,
  },
  {
    name: 'ZRANK in 1M',
    command: ['ZRANK', 'zset', 'member:__rand_int__'],
    keys: million,
    prepare: fillSortedSet,
  },
  {
    name: 'SPOP from 2M',
    test: 'spop',
    keys: 2 * million,
    prepare: (port) =>
      load(port, million / 10, (batch) => [
        'SADD',
        'myset',
        ...Array.from({ length: 20 }, (_, j) => `element:${padded(batch * 20 + j)}`),
      ]),
    // Over all rounds: what is left must be a set to the end.
    requestsMax: 200_000,
  },
  { name: 'XADD of 3 fields', command: ['XADD', 'stream', '*', ...entryFields], keys: million },
  {
    name: 'XREADGROUP, XACK in 1M',
    keys: million,
    prepare: fillGroup,
    mix: readAndAcknowledge,
    // A round must not come to the end of the stream.
    requestsMax: 1_800_000,
  },
  {
    name: 'XRANGE of 100 in 1M',
    command: ['XRANGE', 'stream', '__rand_int__', '+', 'COUNT', '100'],
    keys: 999_000,
    prepare: fillStream,
  },
  script('EVALSHA of a GET', "return redis.call('GET', KEYS[1])", million, fillStrings),
  script('EVALSHA of a SET', "return redis.call('SET', KEYS[1], ARGV[1])", million),
  // So many queues.
  script('EVALSHA of 11 calls', JOB_SCRIPT, 100),
  { name: 'SET of 10 KB', test: 'set', keys: 1000, valueBytes: 10_240 },
  {
    name: 'GET of 10 KB',
    test: 'get',
    keys: 1000,
    valueBytes: 10_240,
    prepare: (port) => load(port, 1000, (i) => ['SET', `key:${padded(i)}`, 'v'.repeat(10_240)]),
  },
];
