/** The walk in short: from redis-server to three nodes and back, with clients that write all the time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installedRedisVersion } from '../../conformance/servers.js';
import { walk } from './walk.js';

test(
  'from redis-server to Redraft and back, without losing a write',
  { skip: installedRedisVersion() === undefined },
  async () => {
    const lines: string[] = [];
    const { writes } = await walk({
      keys: 600,
      writesPerSecond: 300,
      stayMs: 200,
      print: (line) => lines.push(line),
    });
    assert.ok(writes >= 50, `${writes} writes`);
    const said = lines.join('\n');
    for (const type of ['hash', 'list', 'set', 'stream', 'string', 'zset'])
      assert.equal(said.match(new RegExp(` ${type} +\\d+ keys, digest `, 'g'))?.length, 2, type);
  },
);
