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
const PYTHON = '/usr/bin/python3';
const python = (protocol: string) => interpreted('redis_py.py', protocol, [PYTHON], ['-c', 'import redis']);
/** `pip install --target test/clients/libraries/redis-py redis==8.1.0` */
const newerPython = (protocol: string) => {
  const path = `PYTHONPATH=${join(folder, '../libraries/redis-py')}`;
  const probe = 'import redis; assert int(redis.__version__.split(".")[0]) > 4';
  return interpreted('redis_py.py', protocol, ['env', path, PYTHON], [path, PYTHON, '-c', probe]);
};
const ruby = (protocol: string) => interpreted('redis_rb.rb', protocol, ['ruby'], ['-e', "require 'redis'"]);
const php = (file: string, protocol: string, probe: string) =>
  interpreted(file, protocol, ['php'], ['-r', probe]);
const phpredis = "class_exists('RedisCluster') || exit(1);";
const predis = "require 'Predis/Autoloader.php';";

const kindsOf = (
  language: string,
  clients: readonly (readonly [name: string, protocol: string, command: () => Promise<readonly string[]>])[],
): readonly ProgramKind[] =>
  clients.map(([name, protocol, command]) => ({
    name,
    language,
    follower: protocol === 'cluster' ? 'moved' : 'forward',
    command,
  }));

export const programKinds: readonly ProgramKind[] = [
  ...kindsOf('Python', [
    ['redis-py 8.1 RedisCluster', 'cluster', newerPython('cluster')],
    ['redis-py 8.1 Sentinel', 'sentinel', newerPython('sentinel')],
    ['redis-py 4.3 RedisCluster', 'cluster', python('cluster')],
    ['redis-py 4.3 Sentinel', 'sentinel', python('sentinel')],
  ]),
  ...kindsOf('Go', [
    ['go-redis 5 ClusterClient', 'cluster', compiled('go_redis.go', 'cluster')],
    ['go-redis 5 FailoverClient', 'sentinel', compiled('go_redis.go', 'sentinel')],
    ['redigo 1.8 with redisc 1.1', 'cluster', compiled('redisc.go', 'cluster')],
  ]),
  ...kindsOf('Ruby', [
    ['redis-rb 4.8 cluster', 'cluster', ruby('cluster')],
    ['redis-rb 4.8 sentinels', 'sentinel', ruby('sentinel')],
  ]),
  ...kindsOf('PHP', [
    ['phpredis 5.3 RedisCluster', 'cluster', php('phpredis.php', 'cluster', phpredis)],
    ['phpredis 5.3 RedisSentinel', 'sentinel', php('phpredis.php', 'sentinel', phpredis)],
    ['Predis 1.1 cluster', 'cluster', php('predis.php', 'cluster', predis)],
    ['Predis 1.1 sentinel', 'sentinel', php('predis.php', 'sentinel', predis)],
  ]),
  ...kindsOf('Perl', [
    [
      'Redis.pm 2.0 sentinels',
      'sentinel',
      interpreted('redis_perl.pl', 'sentinel', ['perl'], ['-MRedis', '-e', '1']),
    ],
  ]),
  ...kindsOf('shell', [
    [
      'redis-cli 7.0 -c',
      'cluster',
      interpreted('redis_cli.py', 'cluster', [PYTHON], ['-c', 'import subprocess']),
    ],
  ]),
];
