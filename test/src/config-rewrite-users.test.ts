import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseCommandLine } from '../../src/cli/command-line.js';
import { rewriteConfig } from '../../src/config/config-file.js';
import { Redraft } from '../../src/index.js';
import { RespClient } from '../../src/resp/client.js';
import { plain } from '../cluster/nodes.js';

const value = (): string => '';

test('lines of users take the place of those that stood there', () => {
  const text = 'port 1\nuser a on\n# b\nUSER b off\n';
  assert.equal(
    rewriteConfig(text, value, [], ['user c on', 'user d on']),
    'port 1\nuser c on\nuser d on\n# b\n',
  );
  assert.equal(rewriteConfig('port 1\n', value, [], ['user c on']), 'port 1\nuser c on\n');
  assert.equal(rewriteConfig(text, value, []), text);
});

test('CONFIG REWRITE writes users that a new start reads again', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'redraft-rewrite-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const configFile = join(root, 'redraft.conf');
  writeFileSync(configFile, '# of mine\nuser älice on >secret ~a:* +get\nuser gone on nopass\n');
  /** The users of a node that founds a cluster by the file, after what is asked of it. */
  const usersAfter = async (...commands: string[][]): Promise<unknown> => {
    const line = parseCommandLine(['--config', configFile], {});
    assert.ok(line.kind === 'serve');
    const redraft = await Redraft.start({ users: line.options.users, configFile });
    try {
      const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
      for (const command of commands) assert.doesNotMatch(`${plain(await client.call(...command))}`, /^-/);
      const users = plain(await client.call('ACL', 'LIST'));
      await client.close();
      return users;
    } finally {
      await redraft.stop();
    }
  };
  const before = await usersAfter(
    ['ACL', 'SETUSER', 'bob', 'on', '>x', '(+@read ~b:*)', '&c*'],
    ['ACL', 'DELUSER', 'gone'],
    ['CONFIG', 'REWRITE'],
  );
  const text = readFileSync(configFile, 'utf8');
  assert.match(text, /^# of mine\nuser /);
  assert.doesNotMatch(text, /secret|gone/);
  assert.match(text, /^user älice on .*~a:\*/m);
  assert.deepEqual(await usersAfter(), before);
});
