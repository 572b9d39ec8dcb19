/** Disks that fill up, files that may not grow, and logs whose tail was torn when the process died. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { nodeDisk } from '../../raft/node/directory/disk.js';
import { logDirectory } from '../../raft/node/directory/layout.js';
import { type LogScan, scanLog } from '../../raft/node/wal/scan.js';
import type { Random } from '../sim/random.js';
import { sleep } from './clients.js';
import type { ChaosNode } from './nodes.js';
import { on, type Storm, someFollower } from './storm.js';

/** What a node says, and ends with, when its disk has no room. */
const noRoom =
  /no space left|are (left|free) on the disk|snapshot failed|EFBIG|file too large|the end was not clean|took no bytes/;

/**
 * A disk that fills up; the node stops, and comes back when there is room. Sometimes it is started too early.
 */
export async function fillDisk(storm: Storm): Promise<boolean> {
  const { cluster, random, disks } = storm;
  const candidates = cluster.free.filter((node) => disks.has(node.options.directory));
  if (candidates.length === 0) return false;
  return on(random.pick(candidates), 'full disk', async (node) => {
    const { directory } = node.options;
    node.allowed = noRoom;
    node.note('its disk is full');
    disks.shrink(directory, random.pick([0, 4096, 150_000, 400_000]));
    await untilEnded(storm, node, storm.forMs + 2000);
    if (!node.isRunning && random.chance(0.4)) {
      node.start();
      await storm.wait(500);
    }
    disks.restore(directory);
    node.note('its disk has room again');
    if (!node.isRunning) node.start();
  });
}

/**
 * The same by a limit that the system sets on the size of files (prlimit): the log can be extended no
 * further.
 */
export function limitFiles(storm: Storm): Promise<boolean> {
  const { cluster, random } = storm;
  if (cluster.free.length === 0) return Promise.resolve(false);
  return on(random.pick(cluster.free), 'file size limit', async (node) => {
    const folder = logDirectory(node.options.directory);
    let largest = 0;
    for (const name of readdirSync(folder)) largest = Math.max(largest, statSync(join(folder, name)).size);
    const bytes = largest + random.pick([0, 1, 5000]);
    node.allowed = noRoom;
    const { status } = spawnSync('prlimit', ['--pid', `${node.pid}`, `--fsize=${bytes}`]);
    if (status !== 0) return;
    node.note(`its files may not grow beyond ${bytes} bytes`);
    await untilEnded(storm, node, storm.forMs + 1000);
    // Whoever came through does not live on with a limit that no operator has set.
    if (node.isRunning) await node.kill();
    node.start();
  });
}

async function untilEnded(storm: Storm, node: ChaosNode, timeoutMs: number): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; node.isRunning && performance.now() < deadline; ) {
    if (storm.isOver()) return;
    await sleep(20);
  }
}

/** A place in the last segment from which on bytes may be lost without a promise being broken. */
export interface LooseTail {
  readonly path: string;
  /** Up to here the log was promised, or is known to be durable. */
  readonly from: number;
  /** After the last whole record. */
  readonly end: number;
  /** Of the file: behind the end are zeros. */
  readonly size: number;
  /** Entries in the loose part. */
  readonly entries: number;
}

/** What the leader knows of a follower that is dead. */
export interface Acknowledged {
  /** The leader leads in this term still: nobody else ever counted this term's entries. */
  readonly term: number;
  /** The follower never acknowledged anything of that term beyond. */
  readonly index: number;
}

/**
 * Finds the loose tail of a log. What was acknowledged, or voted, is not loose, though no later record says
 * that it is durable; without `acknowledged` nothing is loose but what lies behind the end.
 */
export async function findLooseTail(
  directory: string,
  acknowledged: Acknowledged | undefined,
): Promise<LooseTail | undefined> {
  const { salt } = JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8')) as { salt: number };
  interface Seen {
    readonly sequence: number;
    readonly offset: number;
    readonly hardState: string;
    readonly isLoose: boolean;
    readonly count: number;
  }
  const records: Seen[] = [];
  const scan: LogScan = await scanLog(nodeDisk, logDirectory(directory), salt, {
    record(reader, header) {
      const { term, vote, count, firstIndex, entriesTerm, offset } = reader;
      const isLoose =
        acknowledged !== undefined &&
        term === acknowledged.term &&
        (count === 0 || (entriesTerm === term && firstIndex > acknowledged.index));
      records.push({ sequence: header.sequence, offset, hardState: `${term}/${vote}`, isLoose, count });
    },
  });
  const last = scan.segments.at(-1);
  if (last?.header === undefined || scan.problem !== undefined) return undefined;
  const durable = Math.max(0, scan.synced - last.header.base);
  let from = last.end;
  let entries = 0;
  for (let i = records.length - 1; i > 0; i--) {
    const { sequence, offset, isLoose, hardState, count } = records[i]!;
    if (sequence !== last.sequence || offset < durable || !isLoose) break;
    // The first record of a term holds the vote.
    if (records[i - 1]!.hardState !== hardState) break;
    from = offset;
    entries += count;
  }
  return { path: last.path, from, end: last.end, size: last.size, entries };
}

/**
 * Damages a loose tail: cut off, zeroed, in sectors that did not reach the disk, or with scraps behind the
 * end. Returns what was done.
 */
export function damageTail(tail: LooseTail, random: Random): string {
  const { path, from, end, size } = tail;
  const length = end - from;
  const file = openSync(path, 'r+');
  try {
    if (length === 0) {
      // A write of which only parts arrived: something that is no record where zeros were.
      const scrap = Buffer.alloc(8 + random.below(3000), 0);
      const start = random.chance(0.7) ? 0 : random.below(scrap.length);
      for (let i = start; i < scrap.length; i++) scrap[i] = random.below(256);
      writeSync(file, scrap, 0, scrap.length, end);
      return `${scrap.length} bytes of scraps behind the end at ${end}`;
    }
    const at = from + random.below(length);
    const how = random.pick(['cut', 'zeros', 'sectors', 'noise'] as const);
    const bytes = Buffer.alloc(end - at);
    if (how === 'sectors') {
      const whole = readFileSync(path).subarray(from, end);
      for (let sector = 0; sector < whole.length; sector += 512)
        if (random.chance(0.5)) whole.fill(0, sector, Math.min(sector + 512, whole.length));
      writeSync(file, whole, 0, whole.length, from);
      return `sectors lost from ${from} to ${end}`;
    }
    if (how === 'noise') for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
    writeSync(file, bytes, 0, bytes.length, at);
    if (how === 'cut') spawnSync('truncate', ['-s', `${at}`, path]);
    return `${how} from ${at} on, of ${size} bytes`;
  } finally {
    closeSync(file);
  }
}

/**
 * A follower dies before all that it has written reached the disk: what it had not yet acknowledged is torn.
 */
export function tearTail(storm: Storm): Promise<boolean> {
  const { cluster, random } = storm;
  return on(someFollower(storm), 'torn tail', async (node) => {
    const { directory } = node.options;
    const outgoing = cluster.nodes
      .filter((other) => other !== node)
      .map((other) => `${node.name}>${other.name}`);
    // What it says from now on is lost for good: its log grows beyond what it has acknowledged.
    const heal = cluster.network.links?.block(outgoing, 'drop');
    await storm.wait(random.pick([0, 30, 100, 300]));
    await node.kill();
    await sleep(150);
    const tail = await findLooseTail(directory, heal && (await acknowledgedBy(storm, node)));
    heal?.();
    if (tail !== undefined) {
      node.note(damageTail(tail, random));
      cluster.journal.count('torn entries', tail.entries);
    }
    await storm.wait(storm.forMs * 0.5);
    node.start();
  });
}

/**
 * How far the leader knows a dead follower to be, if there is a leader and every node syncs before it
 * acknowledges.
 */
async function acknowledgedBy({ cluster }: Storm, node: ChaosNode): Promise<Acknowledged | undefined> {
  const { leader } = cluster;
  if (cluster.profile.durability !== 'high' || leader === undefined || leader === node || !leader.isUp)
    return undefined;
  const stats = await leader.stats();
  if (stats?.state !== 'Leader') return undefined;
  for (let i = 0; stats[`peer${i}`] !== undefined; i++) {
    const facts = /^id=(\d+),.*match=(\d+)/.exec(stats[`peer${i}`]!);
    if (facts !== null && Number(facts[1]) === node.nodeId)
      return { term: Number(stats.term), index: Number(facts[2]) };
  }
  return undefined;
}
