/** The engine where there is no Buffer: `redraft/engine` under the export condition `browser`. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { Buffer as BrowserBuffer } from '../../packaging/browser/buffer.js';
import { root } from '../program-path.js';

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: { './engine': { import: { browser: string } } };
};
const file = join(root, exports['./engine'].import.browser);

const bytes = fc.uint8Array({ maxLength: 40 });
const place = fc.nat(45);

test("what stands for Node's Buffer does as that does", () => {
  const same = (ours: Uint8Array, nodes: Uint8Array): void => assert.deepEqual([...ours], [...nodes]);
  fc.assert(
    fc.property(bytes, bytes, fc.string({ unit: 'binary' }), place, place, (a, b, string, from, to) => {
      const [ours, nodes] = [BrowserBuffer.from(a), Buffer.from(a)];
      const [ours2, nodes2] = [BrowserBuffer.from(b), Buffer.from(b)];
      const start = Math.min(from, a.length);
      const end = Math.max(start, Math.min(to, a.length));
      for (const encoding of ['utf8', 'latin1', 'hex'] as const)
        assert.equal(ours.toString(encoding, start, end), nodes.toString(encoding, start, end));
      for (const encoding of ['utf8', 'latin1'] as const)
        same(BrowserBuffer.from(string, encoding), Buffer.from(string, encoding));
      same(BrowserBuffer.from(nodes.toString('hex'), 'hex'), nodes);
      assert.equal(BrowserBuffer.byteLength(string), Buffer.byteLength(string));
      assert.equal(ours.compare(ours2), nodes.compare(nodes2));
      assert.equal(ours.equals(ours2), nodes.equals(nodes2));
      const shared = Math.min(end, b.length);
      if (start <= shared)
        assert.equal(
          ours.compare(ours2, start, shared, start, end),
          nodes.compare(nodes2, start, shared, start, end),
        );
      same(BrowserBuffer.concat([ours, ours2]), Buffer.concat([nodes, nodes2]));
      same(BrowserBuffer.concat([ours, ours2], start), Buffer.concat([nodes, nodes2], start));
      assert.equal(
        ours.copy(ours2, Math.min(to, b.length), start),
        nodes.copy(nodes2, Math.min(to, b.length), start),
      );
      same(ours2, nodes2);
      for (const write of ['latin1Write', 'utf8Write'] as const) {
        const native = nodes as Buffer & Record<typeof write, (text: string, offset: number) => number>;
        assert.equal(ours[write](string, start), native[write](string, start));
        same(ours, nodes);
      }
      // A slice is a view.
      ours.slice(start, end).fill(7);
      nodes.subarray(start, end).fill(7);
      same(ours, nodes);
    }),
  );
});

test("numbers lie in it as in Node's", () => {
  const kinds = [
    ['Int16LE', fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 })],
    ['UInt16LE', fc.nat(2 ** 16 - 1)],
    ['Int32LE', fc.integer()],
    ['UInt32LE', fc.nat(2 ** 32 - 1)],
    ['UInt32BE', fc.nat(2 ** 32 - 1)],
    ['BigInt64LE', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
    ['BigUInt64LE', fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
    ['BigUInt64BE', fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
    ['DoubleLE', fc.double()],
  ] as const;
  type Calls = Record<string, (value: unknown, offset?: number) => unknown>;
  for (const [kind, values] of kinds) {
    fc.assert(
      fc.property(values as fc.Arbitrary<unknown>, fc.nat(8), (value, offset) => {
        const ours = BrowserBuffer.alloc(16);
        const nodes = Buffer.alloc(16);
        const next = (ours as unknown as Calls)[`write${kind}`](value, offset);
        assert.equal(next, (nodes as unknown as Calls)[`write${kind}`](value, offset));
        assert.deepEqual([...ours], [...nodes]);
        assert.equal((ours as unknown as Calls)[`read${kind}`](offset), value);
        for (const size of [1, 2, 3, 4])
          assert.equal(ours.readIntLE(offset, size), nodes.readIntLE(offset, size));
        assert.equal(ours.readInt8(offset), nodes.readInt8(offset));
      }),
      { numRuns: 30 },
    );
  }
});

/** Uses every type of value, goes through a snapshot, and says what came of it. */
const use = `
  const engine = new Engine({ seed: 1 });
  const replies = [
    engine.call('SET', 'k', 'w\\u00e9rt \\u{1f600}'), engine.call('GET', 'k'), [...engine.callBuffer('GETRANGE', 'k', 1, 2)],
    engine.call('SETBIT', 'bits', 100000, 1), engine.call('BITCOUNT', 'bits'),
    engine.call('PFADD', 'h1', 'a', 'b'), engine.call('PFADD', 'h2', 'c'), engine.call('PFCOUNT', 'h1', 'h2'),
    engine.call('ZADD', 'z', ...Array.from({ length: 300 }, (_, i) => [i / 3, 'member ' + i]).flat()),
    engine.call('ZRANGE', 'z', 100, 102, 'WITHSCORES'),
    engine.call('RPUSH', 'list', ...Array.from({ length: 2000 }, (_, i) => 'x'.repeat(50) + i)),
    engine.call('HSET', 'hash', 'f', '1', 'g', 'x'.repeat(100)), engine.call('SADD', 's', 1, 2, 3),
    engine.call('XADD', 'stream', '1-1', 'f', 'v'), engine.call('GEOADD', 'g', 13.3, 38.1, 'Palermo'),
    engine.call('RESTORE', 'z2', 0, engine.callBuffer('DUMP', 'z')), engine.call('OBJECT', 'ENCODING', 'z2'),
    engine.call('SPOP', 's'), engine.call('SET', 'bytes', new Uint8Array([0, 255, 128])),
    [...engine.callBuffer('GET', 'bytes')],
  ];
  const again = restoreEngine(engine.snapshot());
  replies.push(again.call('DBSIZE'), again.call('LINDEX', 'list', -1), \`\${again.digest()}\` === \`\${engine.digest()}\`, \`\${engine.digest()}\`);
  const script = engine.exec([['EVAL', 'return {1, redis.call("GET", KEYS[1])}', 1, 'k']])[0];
  replies.push(script instanceof Error ? script.message : script);
`;

/** The same in Node, of which the module is given. */
function repliesInNode(module: string, before: string): string {
  const script = `${before}
    const { Engine, restoreEngine } = await import(${JSON.stringify(module)});
    ${use}
    process.stdout.write(JSON.stringify(replies));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return stdout;
}

const expected = (): string => repliesInNode('redraft/engine', '');

test('without a global Buffer it answers as with one', () => {
  assert.equal(repliesInNode(file, 'globalThis.Buffer = undefined;'), expected());
});

const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);

test(
  'a page in Chromium runs it, and where code from strings is forbidden all but scripts',
  {
    skip: chromium === undefined && 'no Chromium here',
  },
  async () => {
    const page =
      '<!doctype html><title>redraft</title><pre id="out"></pre><script type="module" src="/page.js"></script>';
    const script = `import { Engine, restoreEngine } from '/engine.js'; ${use}
    document.getElementById('out').textContent = encodeURIComponent(JSON.stringify(replies)) + ' end';`;
    const server = createServer(({ url = '/' }, response) => {
      const policy = url === '/strict' ? { 'content-security-policy': "script-src 'self'" } : {};
      if (url.endsWith('.js')) {
        response.writeHead(200, { 'content-type': 'text/javascript' });
        response.end(url === '/engine.js' ? readFileSync(file) : script);
      } else response.writeHead(200, { 'content-type': 'text/html', ...policy }).end(page);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const profile = mkdtempSync(join(tmpdir(), 'redraft-chromium-'));
    const { port } = server.address() as AddressInfo;
    const shown = async (path: string): Promise<string> => {
      const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`];
      const child = spawn(chromium!, [...flags, '--dump-dom', `http://127.0.0.1:${port}${path}`], {
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 60_000,
      });
      const found = /<pre id="out">(\S+) end<\/pre>/.exec(await text(child.stdout));
      return decodeURIComponent(found?.[1] ?? 'nothing was shown');
    };
    try {
      assert.equal(await shown('/'), expected());
      const strict = JSON.parse(await shown('/strict')) as unknown[];
      assert.match(`${strict.at(-1)}`, /code generation from strings, which is forbidden here/);
      assert.deepEqual(strict.slice(0, -1), (JSON.parse(expected()) as unknown[]).slice(0, -1));
    } finally {
      server.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    }
  },
);
