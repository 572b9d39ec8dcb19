/**
 * A process whose memory is bounded refuses, and stays within its bound, whatever the shape of what it is
 * filled with.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ErrorReply } from '../../engine/index.js';
import { RespClient } from '../../src/resp/client.js';
import { serving, start } from './program-runner.js';

const MIB = 1 << 20;
const LIMIT_BYTES = 32 * MIB;
/** Code, V8's own heap, garbage, and what is on its way from the socket into the keyspace. */
const RESIDENT_MAX_BYTES = 288 * MIB;
const PIPELINED = 500;

const long = (i: number, length: number): string => `${i}:`.padEnd(length, 'x');
const many = (count: number, words: (n: number) => string[]): string[] =>
  Array.from({ length: count }, (_, n) => words(n)).flat();

const shapes: Record<string, (i: number) => string[]> = {
  'small strings': (i) => ['SET', `k${i}`, `v${i}`],
  'strings of 10 kB': (i) => ['SET', `k${i}`, long(i, 10_000)],
  'strings with deadlines': (i) => ['SET', `k${i}`, `v${i}`, 'EX', '10000'],
  'hashes of one 100 B value': (i) => ['HSET', `k${i}`, 'f', long(i, 100)],
  'hashes of 100 fields': (i) => ['HSET', `k${i}`, ...many(100, (n) => [`f${n}`, long(n, 100)])],
  'sets of one 70 B member': (i) => ['SADD', `k${i}`, long(i, 70)],
  'sets of 200 members': (i) => ['SADD', `k${i}`, ...many(200, (n) => [`${i}:${n}`])],
  'sorted sets of one 70 B member': (i) => ['ZADD', `k${i}`, '1.5', long(i, 70)],
  'sorted sets of 200 members': (i) => ['ZADD', `k${i}`, ...many(200, (n) => [`${n / 8}`, `${i}:${n}`])],
  'lists of one 100 B item': (i) => ['RPUSH', `k${i}`, long(i, 100)],
  'one list of 10 kB items': (i) => ['RPUSH', 'l', long(i, 10_000)],
  'one string that 10 kB are appended to': (i) => ['APPEND', 's', long(i, 10_000)],
};

/** The most that was ever resident. */
function peakBytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024;
}

test(
  'twelve shapes of data end in refusals, within the memory that was promised',
  { skip: process.platform !== 'linux' && 'reads /proc' },
  async () => {
    const program = start(['--backend', 'memory', '--port', '0', '--maxmemory', `${LIMIT_BYTES}`]);
    const client = await RespClient.connect({
      host: '127.0.0.1',
      port: await serving(program),
      replyTimeoutMs: 60_000,
    });
    const used = async (): Promise<number> =>
      Number(/^used_memory:(\d+)/m.exec(`${await client.call('INFO', 'memory')}`)![1]);
    for (const [name, command] of Object.entries(shapes)) {
      let refusals = 0;
      for (let i = 0; refusals === 0 && i < 3_000_000; i += PIPELINED) {
        const calls = Array.from({ length: PIPELINED }, (_, n) => client.call(...command(i + n)));
        for (const reply of await Promise.all(calls)) {
          if (!(reply instanceof ErrorReply)) continue;
          assert.match(reply.text, /^OOM /, name);
          refusals++;
        }
      }
      assert.ok(refusals > 0, `${name}: never refused`);
      assert.ok((await used()) > LIMIT_BYTES * 0.9, `${name}: refused at ${await used()} bytes`);
      assert.ok(
        peakBytes(program.child.pid!) < RESIDENT_MAX_BYTES,
        `${name}: ${peakBytes(program.child.pid!)} bytes resident`,
      );
      await client.call('FLUSHALL');
      while ((await used()) > LIMIT_BYTES / 4) await client.call('PING');
    }
    await client.close();
  },
);
