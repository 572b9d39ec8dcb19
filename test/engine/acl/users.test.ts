/** Rules for users, and what follows from them: lines and verdicts of redis-server 7.0.15. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AclCommands } from '../../../engine/acl/permissions.js';
import { Users } from '../../../engine/acl/users.js';
import { CommandCatalog } from '../../../engine/command/facts.js';
import { engineCommands, type Request, RequestBuilder } from '../../../engine/index.js';
import { programCommands } from '../../../src/commands/index.js';

const commands = new AclCommands(new CommandCatalog([...engineCommands, ...programCommands]));
const hash = '30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4';

const request = (...args: readonly string[]): Request => new RequestBuilder().command(args, false);

function lineAfter(...rules: readonly string[]): string {
  const users = new Users();
  for (const rule of rules) assert.equal(users.set('a', [rule], false), undefined, rule);
  return commands.line(users.get('a')!);
}

const lines: readonly (readonly [rules: readonly string[], line: string])[] = [
  [[], 'user a off resetchannels -@all'],
  [
    ['on', `#${hash}`, '+get', '+set', '-@all', '+@string', '~foo', '%R~bar*', '%W~bar*', '%RW~z', '&ch'],
    `user a on #${hash} ~foo ~bar* ~z resetchannels &ch -@all +@string`,
  ],
  [['+config|get', '-config|set'], 'user a off resetchannels -@all +config|get'],
  [['+select|0', '+select|1'], 'user a off resetchannels -@all +select|0 +select|1'],
  [
    ['reset', '(  +get   ~x )', '(+@all -flushall %R~y &z)'],
    'user a off sanitize-payload resetchannels -@all (~x resetchannels -@all +get) (%R~y resetchannels &z +@all -flushall)',
  ],
  [['+debug|object', '+debug'], 'user a off resetchannels -@all +debug'],
  [['+debug', '+debug|object'], 'user a off resetchannels -@all +debug'],
  [['+debug|object', '+debug|sleep', '-debug'], 'user a off resetchannels -@all'],
  [['allkeys', 'allchannels', 'allcommands', 'nopass'], 'user a off nopass ~* &* +@all'],
  [['skip-sanitize-payload', `#${hash}`, `!${hash}`], 'user a off skip-sanitize-payload resetchannels -@all'],
];

for (const [rules, line] of lines) {
  test(`rules ${rules.join(' ') || 'of a new user'}`, () => {
    const users = new Users();
    assert.equal(users.set('a', rules, false), undefined);
    assert.equal(commands.line(users.get('a')!), line);
    assert.equal(
      lineAfter('on', 'reset', ...rules).replace('sanitize-payload ', ''),
      line.replace('sanitize-payload ', ''),
    );
  });
}

const afterAllKeys =
  "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns";

const refusals: readonly (readonly [rules: readonly string[], reason: string])[] = [
  [['~*', '~foo'], afterAllKeys],
  [['(~* ~x)'], afterAllKeys],
  [[`!${hash}`], 'The password you are trying to remove from the user does not exist'],
  [
    ['#zz'],
    'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters',
  ],
  [['foo'], 'Syntax error'],
  [['%X~a'], 'Syntax error'],
  [['%~a'], 'Syntax error'],
  [['~a b'], 'Syntax error'],
];

test('rules that are refused change nothing', () => {
  for (const [rules, reason] of refusals) {
    const users = new Users();
    const error = users.set('a', ['on', ...rules], false);
    assert.equal(error?.reason, reason);
    assert.equal(error?.rule, rules.at(-1));
    assert.equal(users.get('a'), undefined);
  }
});

test('names of commands are judged by who proposes', () => {
  for (const [rule, reason] of [
    ['+nope', 'Unknown command or category name in ACL'],
    ['+config|nope', 'Unknown command or category name in ACL'],
    ['+config|get|x', 'Allowing first-arg of a subcommand is not supported'],
    ['+select|', 'Syntax error'],
    ['-select|0', 'Unknown command or category name in ACL'],
    ['+@nope', 'Unknown command or category name in ACL'],
    ['+get', undefined],
    ['+config|get', undefined],
    ['-@string', undefined],
  ] as const)
    assert.equal(commands.refuse(rule), reason, rule);
});

test('what a user may do', () => {
  const users = new Users();
  users.set(
    'a',
    ['+get', '+set', '+config|get', '+select|0', '+publish', '~x*', '%R~r', '%W~w', '&c*'],
    false,
  );
  const permissions = commands.permissionsOf(users.get('a')!);
  const verdict = (...args: readonly string[]): string => {
    const container = commands.get(args[0])?.facts.kind === 'container';
    const denial = permissions.deny(container ? `${args[0]}|${args[1]}` : args[0], request(...args));
    return denial === undefined ? 'OK' : `${denial.reason} ${denial.position}`;
  };
  assert.equal(verdict('get', 'x1'), 'OK');
  assert.equal(verdict('get', 'y'), 'key 1');
  assert.equal(verdict('get', 'r'), 'OK');
  assert.equal(verdict('set', 'r', 'v'), 'key 1');
  assert.equal(verdict('set', 'w', 'v'), 'OK');
  assert.equal(verdict('set', 'w', 'v', 'GET'), 'key 1');
  assert.equal(verdict('del', 'x'), 'command 0');
  assert.equal(verdict('config', 'get', 'x'), 'OK');
  assert.equal(verdict('config', 'set', 'x', 'y'), 'command 0');
  assert.equal(verdict('select', '0'), 'OK');
  assert.equal(verdict('select', '1'), 'command 0');
  assert.equal(verdict('publish', 'c1', 'm'), 'OK');
  assert.equal(verdict('publish', 'd', 'm'), 'channel 1');
  assert.equal(verdict('auth', 'p'), 'OK');
});

test('of several selectors one must allow all of a command', () => {
  const users = new Users();
  users.set('a', ['+get', '~a', '(+set ~b)'], false);
  const permissions = commands.permissionsOf(users.get('a')!);
  assert.equal(permissions.deny('get', request('get', 'a')), undefined);
  assert.equal(permissions.deny('set', request('set', 'b', 'v')), undefined);
  assert.deepEqual(permissions.deny('get', request('get', 'b')), { reason: 'key', position: 1 });
  assert.deepEqual(permissions.deny('del', request('del', 'b')), { reason: 'command', position: 0 });
});

test('the default user may do everything and stays; a user made from rules equals its original', () => {
  const users = new Users();
  assert.equal(commands.permissionsOf(users.get('default')!).isUnlimited, true);
  users.set('a', ['on', `#${hash}`, '~a', '%R~b', '&c', '+@all', '-flushall', '(+get ~*)'], false);
  assert.equal(users.delete(['default', 'nobody']), 0);
  const copy = new Users();
  copy.replace(users.all().map((user) => [user.name, user.rules] as const));
  assert.deepEqual(copy.all(), users.all());
  assert.equal(users.delete(['a']), 1);
});
