/** What nodes and engines leave behind, and take. `npm run bench:testers` measures more of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { root } from '../program-path.js';

/** Runs a module with a collector that it can call, and gives what it prints as JSON. */
function figuresOf(script: string): Record<string, number | string[]> {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '-e', script],
    { cwd: root, encoding: 'utf8', timeout: 120_000 },
  );
  assert.equal(stderr, '');
  return JSON.parse(stdout) as Record<string, number | string[]>;
}

test('a hundred nodes that were started and stopped leave neither handles nor memory', () => {
  const { handles, grownBytes } = figuresOf(`
    import { Redraft } from 'redraft';
    const use = async (count) => {
      for (let i = 0; i < count; i++) {
        const redraft = await Redraft.start();
        await redraft.load({ k: 'v' });
        await redraft.stop();
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
      globalThis.gc();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = await use(20);
    const grownBytes = (await use(100)) - before;
    const handles = process.getActiveResourcesInfo().filter((name) => /TCP|Timeout|Pipe/.test(name));
    process.stdout.write(JSON.stringify({ handles, grownBytes }), () => process.exit(0));`);
  assert.deepEqual(handles, []);
  assert.ok((grownBytes as number) < 5_000_000, `${grownBytes} bytes`);
});

test(
  'an engine of a test file takes less than 1 MB of the machine',
  { skip: process.platform === 'win32' },
  () => {
    const { each } = figuresOf(`
    import { Engine } from 'redraft/engine';
    const engines = [];
    const make = (count) => {
      for (let i = 0; i < count; i++) {
        const engine = new Engine({ seed: i });
        for (let j = 0; j < 20; j++) engine.call('HSET', 'user:' + j, 'name', 'Ann', 'age', j);
        engine.call('ZADD', 'board', 1, 'a', 2, 'b');
        engines.push(engine);
      }
      globalThis.gc();
      return process.memoryUsage().rss;
    };
    const before = make(20);
    const each = (make(200) - before) / 200;
    process.stdout.write(JSON.stringify({ each }));`);
    assert.ok((each as number) < 1_000_000, `${each} bytes`);
  },
);
