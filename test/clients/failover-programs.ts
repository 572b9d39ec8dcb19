/** Clients of other languages, as Debian has them: each a small program in programs/. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ProgramKind } from './failover-clients.js';

const folder = join(import.meta.dirname, '../../../test/clients/programs');
const run = promisify(execFile);

/** A program that an interpreter runs; `probe` is a line in its language that fails without the library. */
const interpreted =
  (file: string, protocol: string, words: readonly string[], probe: readonly string[]) =>
  async (): Promise<readonly string[]> => {
    await run(words[0], probe);
    return [...words, join(folder, file), protocol];
  };

/** A program in Go, which finds its libraries where Debian puts them. */
const compiled = (file: string, protocol: string) => async (): Promise<readonly string[]> => {
  const built = mkdtempSync(join(tmpdir(), 'redraft-go-'));
  process.once('exit', () => rmSync(built, { recursive: true, force: true }));
  const binary = join(built, file.replace('.go', ''));
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH: '/usr/share/gocode',
    GOCACHE: join(built, 'cache'),
  };
  await run('go', ['build', '-o', binary, join(folder, file)], { env });
  return [binary, protocol];
};

// Debian's own: a project's may come first in the path.
const python = (file: string, protocol: string) =>
  interpreted(file, protocol, ['/usr/bin/python3'], ['-c', 'import redis']);
const ruby = (protocol: string) => interpreted('redis_rb.rb', protocol, ['ruby'], ['-e', "require 'redis'"]);
const php = (file: string, protocol: string, probe: string) =>
  interpreted(file, protocol, ['php'], ['-r', probe]);
const phpredis = "class_exists('RedisCluster') || exit(1);";
const predis = "require 'Predis/Autoloader.php';";

export const programKinds: readonly ProgramKind[] = [
  { name: 'redis-py 4.3 RedisCluster', follower: 'moved', command: python('redis_py.py', 'cluster') },
  { name: 'redis-py 4.3 Sentinel', follower: 'forward', command: python('redis_py.py', 'sentinel') },
  { name: 'go-redis 5 ClusterClient', follower: 'moved', command: compiled('go_redis.go', 'cluster') },
  { name: 'go-redis 5 FailoverClient', follower: 'forward', command: compiled('go_redis.go', 'sentinel') },
  { name: 'redigo with redisc 1.1', follower: 'moved', command: compiled('redisc.go', 'cluster') },
  { name: 'redis-rb 4.8 cluster', follower: 'moved', command: ruby('cluster') },
  { name: 'redis-rb 4.8 sentinels', follower: 'forward', command: ruby('sentinel') },
  { name: 'phpredis 5.3 RedisCluster', follower: 'moved', command: php('phpredis.php', 'cluster', phpredis) },
  {
    name: 'phpredis 5.3 RedisSentinel',
    follower: 'forward',
    command: php('phpredis.php', 'sentinel', phpredis),
  },
  { name: 'Predis 1.1 cluster', follower: 'moved', command: php('predis.php', 'cluster', predis) },
  { name: 'Predis 1.1 sentinel', follower: 'forward', command: php('predis.php', 'sentinel', predis) },
  {
    name: 'Redis.pm 2.0 sentinels',
    follower: 'forward',
    command: interpreted('redis_perl.pl', 'sentinel', ['perl'], ['-MRedis', '-e', '1']),
  },
  {
    name: 'redis-cli 7 -c',
    follower: 'moved',
    command: interpreted('redis_cli.py', 'cluster', ['/usr/bin/python3'], ['-c', 'import subprocess']),
  },
];
