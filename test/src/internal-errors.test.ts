/**
 * A handler that fails in a way that it does not foresee costs its own client the connection, and nobody else
 * anything.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from '../../src/observability/log.js';
import { withNode } from './commands/test-node.js';

test('the client gets an error with an id that the log has, is closed, and all others go on', async () => {
  let text = '';
  const log = createLog('warning', (line) => {
    text += line;
  });
  await withNode(
    async (t) => {
      const { server } = t.redraft;
      /** As V8 and Node say that there is no memory for a string, an array buffer, a Buffer. */
      const failures = [
        new RangeError('Invalid string length'),
        new RangeError('Array buffer allocation failed'),
        Object.assign(new Error('Failed to allocate memory'), { code: 'ERR_MEMORY_ALLOCATION_FAILED' }),
      ];
      let failure = failures[0]!;
      const failing = (): never => {
        throw failure;
      };
      const bystander = await t.connect();
      const cases: [name: string, command: string[], before: string[][]][] = [
        ['echo', ['ECHO', 'x'], []],
        ['wait', ['WAIT', '0', '0'], []],
        ['echo', ['EXEC'], [['MULTI'], ['SET', 'k', 'v'], ['ECHO', 'x']]],
      ];
      const tries = failures.flatMap((error) => cases.map((one) => ({ error, one })));
      for (const { error, one } of tries) {
        failure = error;
        const [name, command, before] = one;
        const client = await t.connect();
        const row = server.table.byText.get(name) as unknown as { handler: unknown };
        const { handler } = row;
        const replies = before.map((words) => client.call(...words));
        row.handler = typeof handler === 'function' ? failing : { ...(handler as object), run: failing };
        try {
          const reply = JSON.stringify(await client.call(...command));
          const id = /internal error \(see the log of this node for ([0-9a-f]{8})\)/.exec(reply)?.[1];
          assert.ok(id !== undefined, `${command}: ${reply}`);
          assert.match(text, new RegExp(`internal error ${id}: '${name}'.*${failure.message}`));
          await Promise.all(replies);
          await assert.rejects(client.call('PING'));
        } finally {
          row.handler = handler;
        }
        assert.equal(String(await bystander.call('ECHO', 'still here')), 'still here');
      }
      assert.ok(t.redraft.node.isRunning);
    },
    { log },
  );
});

test('a reply that cannot be taken in apply costs its client the connection, not the node', async () => {
  let text = '';
  const log = createLog('warning', (line) => {
    text += line;
  });
  await withNode(
    async (t) => {
      const { server } = t.redraft;
      const bystander = await t.connect();
      await bystander.call('PING');
      const client = await t.connect();
      const id = Number(await client.call('CLIENT', 'ID'));
      server.connections.get(id)!.queue.itemDone = () => {
        throw new RangeError('Array buffer allocation failed');
      };
      await assert.rejects(client.call('SET', 'k', 'v'));
      assert.match(text, /internal error [0-9a-f]{8}: 'a reply'.*Array buffer allocation failed/);
      assert.equal(String(await bystander.call('GET', 'k')), 'v');
      assert.ok(t.redraft.node.isRunning);
    },
    { log },
  );
});
