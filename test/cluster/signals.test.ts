/** What signals do to a node of a cluster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plain, until } from './nodes.js';
import { ProcessCluster } from './processes.js';

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(
    `${signal} of a leader hands over before it ends: no election timeout passes`,
    { timeout: 60_000 },
    async (t) => {
      const cluster = await ProcessCluster.start(t, 3, ['--follower', 'forward']);
      const leader = await cluster.leader();
      const [follower] = [0, 1, 2].filter((i) => i !== leader);
      const process = cluster.processes[leader]!;
      const client = await cluster.connect(follower, 30_000);
      await client.call('SET', 'n', '0');
      let writes = 0;
      let longestMs = 0;
      let isDone = false;
      const writing = (async () => {
        while (!isDone) {
          const began = performance.now();
          // Held at the follower meanwhile, and never refused.
          assert.equal(plain(await client.call('INCR', 'n')), ++writes);
          longestMs = Math.max(longestMs, performance.now() - began);
        }
      })();
      await until('it writes', () => writes > 20);
      const before = writes;
      assert.equal(await process.end(signal), 0);
      await until('it writes on', () => writes > before + 20);
      isDone = true;
      await writing;
      await client.close();
      assert.match(process.output, /leadership is handed over to node \d+/);
      assert.match(process.output, /this node leads no more/);
      t.diagnostic(`the longest write took ${longestMs.toFixed(0)} ms`);
    },
  );
}
