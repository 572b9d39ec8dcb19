/** What the memory benchmark stores: each case as the commands that fill an empty server. */

export interface MemoryCase {
  readonly name: string;
  readonly title: string;
  /** What is counted as one item. */
  readonly items: number;
  /** At most this many times what Redis takes. */
  readonly aim: number;
  readonly commandCount: number;
  /** Words of command number `i`. */
  command(i: number): string[];
}

const MILLION = 1_000_000;
const SMALL_AIM = 1.2;
const BIG_AIM = 2;
/** Elements that one command adds to a big value. */
const BATCH = 100;

/** Sixteen characters, as keys in Redis's own tables of memory use. */
const key = (i: number): string => `key:${String(i).padStart(12, '0')}`;
const value = (i: number): string => `value:${String(i).padStart(10, '0')}`;
const member = (i: number): string => `member:${i}`;

/** Many keys of a few elements each. */
function small(
  name: string,
  title: string,
  command: (i: number) => string[],
  items = MILLION,
  aim = SMALL_AIM,
): MemoryCase {
  return { name, title, items, aim, commandCount: items, command };
}

/** A text of `length` characters that no two numbers share. */
const long = (i: number, length: number): string => `${i}:`.padEnd(length, 'x');

const MEDIUM_KEYS = 150_000;
const TABLE_KEYS = 10_000;
const LARGE_KEYS = 10_000;

/** What grows by a command into one value. */
const CHUNK = 'x'.repeat(10_000);
const APPENDED_CHUNKS = 10_000;

/** One key of a million elements. */
function big(name: string, title: string, first: string[], element: (i: number) => string[]): MemoryCase {
  const command = (i: number): string[] => {
    const words = [...first];
    for (let at = i * BATCH; at < (i + 1) * BATCH; at++) words.push(...element(at));
    return words;
  };
  return { name, title, items: MILLION, aim: BIG_AIM, commandCount: MILLION / BATCH, command };
}

/** `count` numbered repetitions of words. */
const repeat = (count: number, words: (n: number) => string[]): string[] =>
  Array.from({ length: count }, (_, n) => words(n)).flat();

const STREAM_GROUPS = 10;
const CONSUMERS = 100;
const PENDING_EACH = 100;

const entry = (i: number): string[] => [
  ...['XADD', 'big', `${1_700_000_000_000 + i}-0`],
  ...repeat(3, (n) => [`field${n}`, `value ${i * n}`]),
];

/** Groups, and behind them their consumers with what each has pending. */
const groupCommand = (i: number): string[] => {
  if (i < STREAM_GROUPS) return ['XGROUP', 'CREATE', 'big', `group:${i}`, '0'];
  const group = (i - STREAM_GROUPS) % STREAM_GROUPS;
  const consumer = Math.floor((i - STREAM_GROUPS) / STREAM_GROUPS);
  return [
    ...['XREADGROUP', 'GROUP', `group:${group}`, `consumer:${consumer}`],
    ...['COUNT', `${PENDING_EACH}`, 'STREAMS', 'big', '>'],
  ];
};

export const memoryCases: readonly MemoryCase[] = [
  small('strings', '1M strings, 16 B keys and values', (i) => ['SET', key(i), value(i)]),
  small('strings-ttl', '1M such strings with a time to live', (i) => [
    ...['SET', key(i), value(i)],
    ...['PX', String(1_000_000_000 + i * 1000)],
  ]),
  small('hashes', '1M hashes of 5 fields', (i) => [
    ...['HSET', key(i)],
    ...repeat(5, (n) => [`field${n}`, `${i}:${n}`]),
  ]),
  small('zsets', '1M sorted sets of 3 members', (i) => [
    ...['ZADD', key(i)],
    ...repeat(3, (n) => [String((i * 7 + n) % 1000), member(n)]),
  ]),
  small('lists', '1M lists of 3 items', (i) => ['RPUSH', key(i), ...repeat(3, (n) => [`item:${i}:${n}`])]),
  small('intsets', '1M sets of 10 integers', (i) => ['SADD', key(i), ...repeat(10, (n) => [String(i + n)])]),
  small(
    'medium-hashes',
    '150k hashes of one 100 B value',
    (i) => ['HSET', key(i), 'f', long(i, 100)],
    MEDIUM_KEYS,
  ),
  small('medium-sets', '150k sets of one 70 B member', (i) => ['SADD', key(i), long(i, 70)], MEDIUM_KEYS),
  small(
    'medium-zsets',
    '150k sorted sets of one 70 B member',
    (i) => ['ZADD', key(i), '1.5', long(i, 70)],
    MEDIUM_KEYS,
  ),
  small(
    'wide-hashes',
    '150k hashes of 10 values of 100 B',
    (i) => ['HSET', key(i), ...repeat(10, (n) => [`f${n}`, long(i, 100)])],
    MEDIUM_KEYS,
  ),
  small('medium-lists', '150k lists of one 100 B item', (i) => ['RPUSH', key(i), long(i, 100)], MEDIUM_KEYS),
  small(
    'table-hashes',
    '10k hashes of 100 values of 100 B',
    (i) => ['HSET', key(i), ...repeat(100, (n) => [`f${n}`, long(i, 100)])],
    TABLE_KEYS,
  ),
  small(
    'table-sets',
    '10k sets of 200 members',
    (i) => ['SADD', key(i), ...repeat(200, (n) => [`${i}:${n}`])],
    TABLE_KEYS,
  ),
  small(
    'table-zsets',
    '10k sorted sets of 200 members',
    (i) => ['ZADD', key(i), ...repeat(200, (n) => [String(n / 8), `${i}:${n}`])],
    TABLE_KEYS,
  ),
  small(
    'quicklists',
    '10k lists of 200 items of 100 B',
    (i) => ['RPUSH', key(i), ...repeat(200, () => [long(i, 100)])],
    TABLE_KEYS,
  ),
  small('large-strings', '10k strings of 10 kB', (i) => ['SET', key(i), long(i, 10_000)], LARGE_KEYS),
  {
    name: 'append',
    title: '10k APPENDs of 10 kB to one string',
    items: APPENDED_CHUNKS,
    aim: SMALL_AIM,
    commandCount: APPENDED_CHUNKS,
    command: () => ['APPEND', 'log', CHUNK],
  },
  big('zset', 'one sorted set of 1M members', ['ZADD', 'big'], (i) => [
    String(((i * 7919) % MILLION) / 8),
    member(i),
  ]),
  big('hash', 'one hash of 1M fields', ['HSET', 'big'], (i) => [`field:${i}`, value(i)]),
  big('set', 'one set of 1M members', ['SADD', 'big'], (i) => [member(i)]),
  big('list', 'one list of 1M items', ['RPUSH', 'big'], (i) => [`item:${i}`]),
  {
    name: 'stream',
    title: 'one stream of 1M entries of 3 fields',
    items: MILLION,
    aim: SMALL_AIM,
    commandCount: MILLION,
    command: entry,
  },
  {
    name: 'stream-groups',
    title: 'the same with 10 groups of 100 consumers and 100k pending',
    items: MILLION,
    aim: SMALL_AIM,
    commandCount: MILLION + STREAM_GROUPS + STREAM_GROUPS * CONSUMERS,
    command: (i) => (i < MILLION ? entry(i) : groupCommand(i - MILLION)),
  },
];
