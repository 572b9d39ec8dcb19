/** Scripts and functions: what they call, with which arguments, and what becomes of replies and errors. */
import { createHash } from 'node:crypto';
import type { Random } from '../live/random.js';
import type { Family, Unit } from '../live/unit.js';
import { command } from '../live/unit.js';
import { key, spoil, value } from '../live/words.js';
import type { Reply } from '../reply.js';

/** A string literal of Lua. */
const quoted = (text: string): string =>
  `"${text.replace(/[^ -~]|["\\\\]/g, (char) => `\\\\${String(char.charCodeAt(0)).padStart(3, '0')}`)}"`;

/** A call, as Lua writes it. */
function call(random: Random): string {
  const name = quoted(key(random));
  const text = quoted(value(random));
  const words = random.pick([
    `'set', ${name}, ${text}`,
    `'get', ${name}`,
    `'incr', ${name}`,
    `'append', ${name}, ${text}`,
    `'rpush', ${name}, ${text}, 1, 2.5`,
    `'lrange', ${name}, 0, -1`,
    `'hset', ${name}, 'f', ${text}`,
    `'hgetall', ${name}`,
    `'sadd', ${name}, ${text}`,
    `'scard', ${name}`,
    `'zadd', ${name}, ${random.below(100)} / 8, ${text}`,
    `'zrange', ${name}, 0, -1, 'withscores'`,
    `'zscore', ${name}, ${text}`,
    `'type', ${name}`,
    `'del', ${name}`,
    `'exists', ${name}, ${name}`,
    `'expire', ${name}, 'x'`,
    `'nosuch', ${name}`,
    `'get'`,
    `'get', {}`,
    `'multi'`,
    `'ping'`,
    `'echo', ${text}`,
    `'select', 0`,
    `KEYS[1] or 'none', ARGV[1] or 'none'`,
  ]);
  return `redis.${random.oneIn(3) ? 'call' : 'pcall'}(${words})`;
}

function result(random: Random): string {
  return random.pick([
    'r',
    '{r, 1, 2.9, false, true, "x"}',
    '{1, nil, 2}',
    'type(r)',
    '{err = "MY error"}',
    '{ok = "FINE"}',
    'redis.error_reply("SOME error")',
    'redis.status_reply("GOOD")',
    'type(r) == "table" and "a table" or tostring(r)',
    '#KEYS + #ARGV',
    'KEYS',
    'ARGV',
    '{double = 3.5}',
    'cjson.encode({KEYS, ARGV})',
    'redis.sha1hex(ARGV[1] or "")',
    'nothing',
    'error("oops")',
    'r.x.y',
  ]);
}

function body(random: Random): string {
  const calls = Array.from({ length: random.between(0, 3) }, () => call(random));
  const setting = random.oneIn(6) ? 'redis.setresp(3) ' : '';
  return `${setting}${calls.join(' ')} local r = ${random.oneIn(4) ? 'nil' : call(random)} return ${result(random)}`;
}

const keysAndArguments = (random: Random): string[] => {
  const keys = random.many(0, 2, () => key(random));
  return [String(keys.length), ...keys, ...random.many(0, 2, () => value(random))];
};

const names = ['alpha', 'beta', 'gamma'];

function library(random: Random): string {
  const functions = Array.from({ length: random.between(1, 2) }, () => {
    const flags = random.pick(['', ", flags = {'no-writes'}", ", flags = {'allow-oom', 'no-cluster'}"]);
    const code = `function(KEYS, ARGV) ${body(random)} end`;
    return `redis.register_function{function_name = '${random.pick(names)}', callback = ${code}${flags}}`;
  });
  return `#!lua name=${random.pick(['one', 'two'])}\n${functions.join('\n')}`;
}

function cached(random: Random): Unit {
  const source = body(random);
  const sha = createHash('sha1').update(source, 'latin1').digest('hex');
  return {
    commands: [
      { words: ['SCRIPT', 'LOAD', source] },
      { words: [random.pick(['EVALSHA', 'EVALSHA_RO']), sha, ...keysAndArguments(random)] },
      { words: ['SCRIPT', 'EXISTS', sha, '0'.repeat(40)] },
    ],
  };
}

/** Of several names that are taken Redis tells the one that its dictionary has first. */
function anyConflict(reply: Reply): Reply {
  const isConflict = reply.type === 'error' && /^ERR Function \w+ already exists$/.test(reply.text);
  return isConflict ? { ...reply, text: 'ERR Function already exists' } : reply;
}

/** Redis lists libraries and functions in no order. */
function sortedByName(reply: Reply): Reply {
  if (reply.type === 'map')
    return { ...reply, entries: reply.entries.map(([name, value]) => [name, sortedByName(value)]) };
  if (reply.type !== 'array') return reply;
  const items = reply.items.map(sortedByName);
  const isRecord = items.some((item) => item.type === 'bulk');
  return {
    ...reply,
    items: isRecord ? items : items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  };
}

const firstLine = (random: Random): string =>
  random.oneIn(4) ? `#!lua flags=${random.pick(['no-writes', 'allow-oom', 'nope', ''])}\n` : '';

export const family: Family = {
  name: 'scripts',
  generators: [
    [20, (random) => ['EVAL', firstLine(random) + body(random), ...keysAndArguments(random)]],
    [4, (random) => ['EVAL_RO', firstLine(random) + body(random), ...keysAndArguments(random)]],
    [2, (random) => spoil(random, ['EVAL', 'return KEYS', ...keysAndArguments(random)])],
    [3, cached],
    [
      6,
      (random) =>
        command(['FUNCTION', 'LOAD', ...(random.oneIn(2) ? ['REPLACE'] : []), library(random)], {
          normalise: anyConflict,
        }),
    ],
    [10, (random) => ['FCALL', random.pick(names), ...keysAndArguments(random)]],
    [4, (random) => ['FCALL_RO', random.pick(names), ...keysAndArguments(random)]],
    [2, (random) => ['FUNCTION', 'DELETE', random.pick(['one', 'two', 'three'])]],
    [1, () => command(['FUNCTION', 'LIST', 'WITHCODE'], { normalise: sortedByName })],
    [1, () => ['FUNCTION', 'STATS']],
    [1, (random) => spoil(random, ['FUNCTION', 'FLUSH', 'SYNC'])],
    [1, (random) => spoil(random, ['SCRIPT', 'FLUSH', random.pick(['SYNC', 'ASYNC'])])],
    [1, (random) => [random.pick(['SCRIPT', 'FUNCTION']), random.pick(['HELP', 'KILL'])]],
    [2, (random) => ['DEL', key(random)]],
  ],
};
