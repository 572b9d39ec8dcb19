/**
 * `npm run test:upgrade -- [--from COMMIT] [--program FILE]`: three nodes of the release before, made of its
 * sources in git's history, are replaced by this one's and back, one at a time, while clients write: the
 * digests of all are equal after each step, and nothing that was acknowledged is lost. docs/UPGRADE.md has
 * the rules that this proves.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../conformance/live/random.js';
import { generateUnits, loadFamilies } from '../../conformance/live/run-family.js';
import { freePort } from '../durability/spawned.js';
import { programPath, root } from '../program-path.js';
import { UpgradeNode } from './node.js';

/** What stood on main before this release was begun. */
const PREVIOUS = '01ae4fa';
const FAMILIES = 'bitmaps geo hashes hyperloglog lists sets sort streams strings zsets'.split(' ');

const { values } = parseArgs({ options: { from: { type: 'string' }, program: { type: 'string' } } });
const work = mkdtempSync(join(tmpdir(), 'redraft-upgrade-'));

/** The program of another commit, built. */
function build(commit: string): string {
  const folder = join(work, 'previous');
  mkdirSync(folder);
  const archive = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', folder], { input: archive });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b'], { cwd: folder, stdio: 'inherit' });
  return join(folder, 'dist/src/cli/main.js');
}

class Cluster {
  private seed = 1;
  private written = 0;

  constructor(readonly nodes: readonly UpgradeNode[]) {}

  async leader(): Promise<UpgradeNode> {
    const until = Date.now() + 20_000;
    for (;;) {
      for (const node of this.nodes) if ((await node.state()) === 'Leader') return node;
      if (Date.now() > until) throw new Error('nobody leads after 20 s');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Random commands, and a counter that must not lose anything. */
  async write(): Promise<void> {
    const leader = await this.leader();
    const client = await leader.client();
    for (const family of await loadFamilies(FAMILIES)) {
      const replies: Promise<unknown>[] = [];
      for (const { commands = [] } of generateUnits(family, new Random(this.seed++), 150))
        for (const { words } of commands)
          if (words.length > 0 && words[0] !== '') replies.push(client.call(...words));
      for (let i = 0; i < 20; i++) {
        replies.push(client.call('RPUSH', 'acknowledged', `${this.written++}`));
      }
      await Promise.all(replies);
    }
    await client.close();
  }

  /** All nodes at one index have one digest, and the list has all that was acknowledged. */
  async compare(step: string): Promise<void> {
    const until = Date.now() + 20_000;
    for (;;) {
      const found = await Promise.all(this.nodes.map((node) => node.digest()));
      const [first] = found;
      if (found.every(({ index }) => index === first.index)) {
        if (!found.every(({ digest }) => digest === first.digest))
          throw new Error(
            `${step}: the digests at ${first.index} differ: ${found.map(({ digest }) => digest).join(' ')}`,
          );
        const client = await (await this.leader()).client();
        const length = await client.call('LLEN', 'acknowledged');
        await client.close();
        if (length !== this.written)
          throw new Error(`${step}: ${length} of ${this.written} acknowledged writes`);
        const releases = this.nodes.map(({ release }) => release).join(', ');
        console.log(`${step.padEnd(44)} ${releases.padEnd(24)} entry ${first.index}, digest ${first.digest}`);
        return;
      }
      if (Date.now() > until) throw new Error(`${step}: not at one index after 20 s`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function run(): Promise<void> {
  const programs = { old: values.program ?? build(values.from ?? PREVIOUS), new: programPath };
  const nodes: UpgradeNode[] = [];
  const cluster = new Cluster(nodes);
  try {
    for (let i = 0; i < 3; i++) {
      const node = new UpgradeNode(await freePort(), join(work, `node${i}`), programs);
      nodes.push(node);
      await node.start('old', i === 0 ? undefined : nodes[0].port);
    }
    await cluster.write();
    await cluster.compare('three of the release before');
    for (const [release, what] of [
      ['new', 'upgraded'],
      ['old', 'downgraded'],
    ] as const) {
      // The leader goes last, and hands over before.
      for (let left = 3; left > 0; left--) {
        const leader = await cluster.leader();
        const node = nodes.find((one) => one !== leader && one.release !== release) ?? leader;
        await node.stop();
        await cluster.write();
        await node.start(release);
        await cluster.write();
        await cluster.compare(`${4 - left} ${what}${node === leader ? ', the leader last' : ''}`);
      }
      if (release === 'old') break;
      const [victim] = nodes;
      await victim.kill();
      await cluster.write();
      await victim.start('new');
      await cluster.compare('a node killed and started');
    }
    // A newcomer gets the state from a leader of the other release.
    const newcomer = new UpgradeNode(await freePort(), join(work, 'newcomer'), programs);
    const leader = await cluster.leader();
    const client = await leader.client();
    await client.call('RAFTSNAPSHOT');
    await client.close();
    nodes.push(newcomer);
    await newcomer.start('new', leader.port);
    await cluster.write();
    await cluster.compare('a newcomer of this release joins');
    console.log('ok');
  } finally {
    await Promise.all(nodes.map((node) => node.kill()));
    if (existsSync(work)) rmSync(work, { recursive: true, force: true });
  }
}

await run();
