/**
 * The list of checks: the same for a command alone, queued and forwarded, in order, and each asked only about
 * what it concerns.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandTable, ErrorReply, engineCommands, Request, type Runnable } from '../../engine/index.js';
import {
  Admission,
  type AdmissionCheck,
  type AdmittedClient,
  standardChecks,
  type Verdict,
  WAIT,
} from '../../src/client/admission.js';
import { programCommands } from '../../src/commands/index.js';

const table = new CommandTable([...engineCommands, ...programCommands]);
const request = new Request();
const row = (name: string): Runnable => table.byText.get(name) as Runnable;

const client = (changed: Partial<AdmittedClient> = {}): AdmittedClient => ({
  authenticated: true,
  isSubscriber: false,
  isMonitor: false,
  protocol: 2,
  provedPassword: false,
  permissions: { isUnlimited: true, denyPatterns: () => undefined },
  ...changed,
});

function show(verdict: Verdict): string {
  return verdict === undefined ? 'admitted' : verdict === WAIT ? 'wait' : verdict.text;
}

const node = { isPaused: false, refusal: undefined as ErrorReply | undefined, hasMemory: true };
const admission = new Admission(
  standardChecks({
    isLoading: () => false,
    deny: (row) => new ErrorReply(`NOPERM ${row.name}`),
    isPaused: () => node.isPaused,
    refuseWrite: () => node.refusal,
    hasMemory: () => node.hasMemory,
  }),
  () => node.isPaused,
);
const judge = (name: string, destination: 'run' | 'queue' | 'forward', who = client()): string =>
  show(admission.judge(row(name), destination, who, request, 10));

test('who is not authenticated may do nothing but authenticate, wherever it goes', () => {
  const stranger = client({ authenticated: false, isSubscriber: true });
  for (const destination of ['run', 'queue', 'forward'] as const) {
    for (const name of ['get', 'set', 'exec', 'subscribe'])
      assert.equal(judge(name, destination, stranger), 'NOAUTH Authentication required.');
  }
  assert.equal(judge('auth', 'run', client({ authenticated: false })), 'admitted');
  assert.equal(judge('hello', 'run', client({ authenticated: false })), 'admitted');
});

test('a subscriber in RESP2 may only subscribe', () => {
  for (const destination of ['run', 'queue', 'forward'] as const) {
    assert.match(judge('get', destination, client({ isSubscriber: true })), /^ERR Can't execute 'get'/);
    assert.equal(judge('get', destination, client({ isSubscriber: true, protocol: 3 })), 'admitted');
  }
  assert.equal(judge('ping', 'run', client({ isSubscriber: true })), 'admitted');
});

test('a pause makes wait, but not whom an earlier check refuses', () => {
  node.isPaused = true;
  assert.equal(judge('get', 'run'), 'wait');
  assert.match(judge('get', 'run', client({ authenticated: false })), /^NOAUTH/);
  node.isPaused = false;
});

test('leadership and memory are asked of a write that runs here; memory of whatever is queued', () => {
  node.refusal = new ErrorReply('TRY elsewhere:1');
  assert.equal(judge('set', 'run'), 'TRY elsewhere:1');
  for (const [name, destination] of [
    ['get', 'run'],
    ['set', 'queue'],
    ['set', 'forward'],
  ] as const)
    assert.equal(judge(name, destination), 'admitted');
  node.refusal = undefined;
  node.hasMemory = false;
  assert.match(judge('get', 'queue'), /^OOM/);
  assert.equal(judge('get', 'run'), 'admitted');
  node.hasMemory = true;
  assert.match(judge('migrate', 'queue'), /not allowed inside a transaction/);
});

test('the first check that objects decides, and none is asked about a command that it does not concern', () => {
  const asked: string[] = [];
  const check = (name: string, concerned: string, verdict: Verdict): AdmissionCheck<AdmittedClient> => ({
    name,
    concerns: (command) => command.name === concerned,
    judge: (command) => {
      asked.push(`${name} ${command.name}`);
      return verdict;
    },
  });
  const own = new Admission(
    [
      check('a', 'get', undefined),
      check('b', 'set', new ErrorReply('ERR b')),
      check('c', 'get', new ErrorReply('ERR c')),
      check('d', 'get', WAIT),
    ],
    () => false,
  );
  assert.equal(show(own.judge(row('get'), 'run', client(), request, 0)), 'ERR c');
  assert.equal(show(own.judge(row('set'), 'run', client(), request, 0)), 'ERR b');
  assert.equal(show(own.judge(row('del'), 'run', client(), request, 0)), 'admitted');
  assert.deepEqual(asked, ['a get', 'c get', 'b set']);
});

test('who is limited is judged by his rights, wherever a command goes', () => {
  const limited = client({ permissions: { isUnlimited: false, denyPatterns: () => undefined } });
  for (const destination of ['run', 'queue', 'forward'] as const)
    assert.equal(judge('get', destination, limited), 'NOPERM get');
  assert.equal(judge('get', 'run', client({ ...limited, authenticated: false })).slice(0, 6), 'NOAUTH');
});
