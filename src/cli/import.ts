/** `redraft import`: from an RDB file, from standard input, or from a Redis that is running. */
import { createReadStream, statSync } from 'node:fs';
import type { SecureContextOptions } from 'node:tls';
import { ErrorReply, type Reply, utf8Bytes } from '../../engine/index.js';
import { splitAddress } from '../../raft/node/index.js';
import { Destination, ImportError } from '../migration/destination.js';
import { Follower, formatPoint, MARKER, parsePoint } from '../migration/follow.js';
import { ImportSummary, importFile } from '../migration/import-file.js';
import { RdbFileError } from '../migration/rdb-file.js';
import {
  type ReplicationPoint,
  ReplicationSource,
  type SourceOptions,
} from '../migration/replication-source.js';
import { readClientFiles, TlsError } from '../net/tls-files.js';
import { ConnectionError, RespClient } from '../resp/client.js';
import type { ImportOptions } from './data-options.js';
import { formatHostAndPort } from './option-types.js';
import { openProgress, type Progress, type SaidTo } from './progress.js';
import { certificateParameters } from './tls-options.js';

/** So many bytes behind, the node counts as caught up: what comes in a moment. */
const CAUGHT_UP_BYTES = 64 * 1024;
const POLL_MS = 20;
/** How long a cutover waits for what is on its way. */
const DRAIN_MAX_MS = 30_000;

type Print = (text: string) => void;

/** Resolves with the exit code: 0 if all that was asked for is there. */
export async function runImport(
  source: string,
  options: ImportOptions,
  print: Print,
  said: SaidTo,
): Promise<number> {
  const progress = await openProgress(said, !options.json);
  try {
    return await new Import(options, print, progress).run(source);
  } catch (error) {
    progress.end();
    const isExpected = [ImportError, RdbFileError, ConnectionError, TlsError, ErrorReply].some(
      (kind) => error instanceof kind,
    );
    if (!isExpected) throw error;
    said.print(`redraft: ${error instanceof ErrorReply ? error.text : (error as Error).message}\n`);
    return 1;
  }
}

class Import {
  private readonly summary = new ImportSummary();
  private readonly tls: SecureContextOptions | undefined;
  private readonly beganMs = performance.now();

  constructor(
    private readonly options: ImportOptions,
    private readonly print: Print,
    private readonly progress: Progress,
  ) {
    this.tls = options.tls
      ? readClientFiles((name) => certificateParameters(options).get(name) ?? '')
      : undefined;
  }

  async run(source: string): Promise<number> {
    if (/^rediss?:\/\//.test(source)) return this.fromServer(source);
    const { cutover, once } = this.options;
    if (cutover || once) throw new ImportError('--cutover and --once are for a redis:// source');
    const bytes = source === '-' ? undefined : sizeOf(source);
    const stream = source === '-' ? process.stdin : createReadStream(source, { highWaterMark: 1024 * 1024 });
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const destination = this.options.dryRun ? undefined : this.destination();
    try {
      await importFile({
        read: async () => ((await chunks.next()).value as Buffer | undefined) ?? undefined,
        filter: this.filter,
        destination,
        summary: this.summary,
        progress: (read) => this.progress.tell(this.summary.keys, read, bytes),
        now: Date.now,
      });
    } finally {
      await destination?.close();
    }
    return this.conclude(destination);
  }

  private get filter(): { database: number | undefined; pattern: string | undefined } {
    const { db, match } = this.options;
    return { database: db, pattern: match === undefined ? undefined : utf8Bytes(match) };
  }

  private destination(): Destination {
    const { to, replace, requirepass } = this.options;
    return new Destination({
      address: formatHostAndPort(to),
      replaces: replace,
      connect: async (address) => {
        const { host, port } = splitAddress(address);
        const client = await RespClient.connect({ host, port, tls: this.tls });
        if (requirepass !== undefined) {
          const reply = await client.call('AUTH', Buffer.from(requirepass));
          if (reply instanceof ErrorReply && !reply.text.includes('without any password configured'))
            throw new ImportError(`${address}: ${reply.text}`);
        }
        return client;
      },
    });
  }

  // ---- a running Redis ----

  private async fromServer(url: string): Promise<number> {
    const { once, db, match, dryRun, cutover } = this.options;
    if (dryRun)
      throw new ImportError('--dry-run is for files: what a running Redis holds, INFO keyspace says');
    if (once && cutover) throw new ImportError('--once does not follow, so that there is no --cutover');
    if (!once && (db !== undefined || match !== undefined))
      throw new ImportError('--db and --match need --once: the writes that follow cannot be told apart');
    const server = sourceOptions(url, this.tls);
    const destination = this.destination();
    try {
      const from = once ? undefined : await markOf(destination);
      const source = await ReplicationSource.open(server, from);
      try {
        if (!once) return await this.follow(server, source, destination, from);
        await this.takeSnapshot(source, destination);
      } finally {
        // It would keep the process alive, whatever its file was.
        source.close();
      }
      return this.conclude(destination);
    } finally {
      await destination.close();
    }
  }

  private async takeSnapshot(source: ReplicationSource, destination: Destination): Promise<void> {
    const { fileLength } = source;
    const behind = await importFile({
      read: () => source.fileChunk(),
      filter: this.filter,
      destination,
      summary: this.summary,
      progress: (read) => this.progress.tell(this.summary.keys, read, fileLength),
      now: Date.now,
    });
    await source.endFile(behind);
  }

  private async follow(
    server: SourceOptions,
    first: ReplicationSource,
    destination: Destination,
    from: ReplicationPoint | undefined,
  ): Promise<number> {
    let source = first;
    let point = from;
    if (source.isResumed) this.progress.note(`goes on where an import stopped, at offset ${source.offset}`);
    else {
      if (from !== undefined) {
        source.close();
        throw new ImportError(
          `the source has forgotten what came behind offset ${from.offset}, where an import stopped: delete the node's keys (FLUSHALL) and begin anew`,
        );
      }
      await this.takeSnapshot(source, destination);
      point = { replicationId: source.replicationId, offset: source.offset, database: 0 };
      await destination.call(['SET', MARKER, formatPoint(point)]);
      this.progress.note(`${this.summary.keys} keys are there; now what was written since follows`);
    }
    const cut = new Cutover(this.options.cutover);
    try {
      for (;;) {
        const follower = new Follower(source, destination, point!);
        try {
          const applied = follower.run();
          await Promise.race([applied, this.untilCutover(follower, cut)]);
          return await this.cutOver(server, source, destination, follower, applied);
        } catch (error) {
          follower.stop();
          if (!follower.isOfSource(error)) throw error;
          source.close();
          point = follower.point;
          this.progress.note(`${(error as Error).message}: connecting again`);
          source = await openAgain(server, point);
        }
      }
    } finally {
      cut.close();
      source.close();
    }
  }

  /** Says how far it is, until a cutover is wanted and near. */
  private async untilCutover(follower: Follower, cut: Cutover): Promise<void> {
    while (!follower.isStopped) {
      await pause(POLL_MS);
      if (cut.isWanted && follower.lagBytes <= CAUGHT_UP_BYTES) return;
      const hint = cut.isWanted ? '' : '; ^C cuts over';
      this.progress.state(() => `${follower.applied} writes, ${follower.lagBytes} bytes behind${hint}`);
    }
  }

  /** Holds up writes at the source, takes the last of them, and compares how many keys there are. */
  private async cutOver(
    server: SourceOptions,
    source: ReplicationSource,
    destination: Destination,
    follower: Follower,
    applied: Promise<void>,
  ): Promise<number> {
    const client = await RespClient.connect(server);
    try {
      if (server.credentials.length > 0) await sure(client.call('AUTH', ...server.credentials));
      await sure(client.call('CLIENT', 'PAUSE', `${this.options.pause}`, 'WRITE'));
      const info = `${await sure(client.call('INFO', 'replication'))}`;
      const goal = Number(/master_repl_offset:(\d+)/.exec(info)?.[1]);
      const until = performance.now() + DRAIN_MAX_MS;
      while (follower.appliedOffset < goal) {
        if (performance.now() > until)
          throw new ImportError(`the node stands at offset ${follower.appliedOffset}, the source at ${goal}`);
        await Promise.race([applied, pause(POLL_MS)]);
      }
      follower.stop();
      await applied;
      const there = keysOf(`${await sure(client.call('INFO', 'keyspace'))}`);
      const here = keysOf(`${(await destination.call(['INFO', 'keyspace'])) as Buffer}`);
      here.set('0', (here.get('0') ?? 0) - 1); // the marker
      const differences = compareKeys(there, here);
      const seconds = this.options.pause / 1000;
      if (differences.length > 0) {
        await sure(client.call('CLIENT', 'UNPAUSE'));
        throw new ImportError(`the numbers of keys differ: ${differences.join('; ')}`);
      }
      await destination.call(['DEL', MARKER]);
      this.progress.note(
        `cut over at offset ${goal}: all is there. The source takes no writes for ${seconds} s: let clients use the node now`,
      );
      return this.conclude(destination, { offset: goal, writes: follower.applied });
    } finally {
      await client.close();
      source.close();
    }
  }

  // ---- what is said ----

  private conclude(
    destination: Destination | undefined,
    more: { offset?: number; writes?: number } = {},
  ): number {
    this.progress.end();
    const { databases, expired, leftOut, tooLarge, libraries } = this.summary;
    const counts = {
      restored: destination?.restored ?? 0,
      existing: destination?.existing ?? 0,
      expired,
      leftOut,
      tooLarge: tooLarge.length,
      libraries,
      seconds: Math.round((performance.now() - this.beganMs) / 10) / 100,
      ...more,
    };
    if (this.options.json) {
      const held = Object.fromEntries(
        [...databases].map(([database, types]) => [`${database}`, Object.fromEntries(types)]),
      );
      this.print(`${JSON.stringify({ ...counts, databases: held, tooLargeKeys: tooLarge })}\n`);
    } else {
      this.print(formatTable(databases));
      for (const [name, count] of Object.entries(counts)) this.print(`${name.padEnd(12)} ${count}\n`);
      for (const { database, key, bytes } of tooLarge)
        this.print(`not imported: '${key}' of database ${database}, ${bytes} bytes\n`);
    }
    return tooLarge.length > 0 || counts.existing > 0 ? 1 : 0;
  }
}

/** Whether a cutover is wanted: told by the command line, or by ^C; a second one ends the program. */
class Cutover {
  private readonly onSignal = (): void => {
    if (this.isWanted) process.exit(130);
    this.isWanted = true;
  };

  constructor(public isWanted: boolean) {
    process.on('SIGINT', this.onSignal);
    process.on('SIGTERM', this.onSignal);
  }

  close(): void {
    process.off('SIGINT', this.onSignal);
    process.off('SIGTERM', this.onSignal);
  }
}

const pause = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

function sizeOf(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new ImportError(`${path}: there is no such file`);
  if (stats.isDirectory()) throw new ImportError(`${path} is a directory`);
  return stats.size;
}

/** @throws ImportError for what is no address of a Redis */
function sourceOptions(text: string, tls: SecureContextOptions | undefined): SourceOptions {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ImportError('the source must be redis://[user:password@]host:port');
  }
  const isSecure = url.protocol === 'rediss:';
  if (isSecure && tls === undefined) throw new ImportError('a rediss:// source needs --tls');
  const password = decodeURIComponent(url.password);
  const user = decodeURIComponent(url.username);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    credentials: [user, password].filter((word) => word !== '').map(utf8Bytes),
    tls: isSecure ? tls : undefined,
  };
}

/** Where an earlier import into this node stopped. */
async function markOf(destination: Destination): Promise<ReplicationPoint | undefined> {
  const reply = await destination.call(['GET', MARKER]);
  if (reply instanceof ErrorReply) throw reply;
  return reply === null ? undefined : parsePoint(`${reply as Buffer}`);
}

/** The source may be starting again itself. */
async function openAgain(server: SourceOptions, point: ReplicationPoint): Promise<ReplicationSource> {
  const until = performance.now() + 60_000;
  for (;;) {
    try {
      const source = await ReplicationSource.open(server, point);
      if (source.isResumed) return source;
      source.close();
      throw new RdbFileError(
        `the source has forgotten what came behind offset ${point.offset}: delete the node's keys (FLUSHALL) and begin anew`,
      );
    } catch (error) {
      if (!(error instanceof ImportError) || performance.now() > until) throw error;
      await pause(500);
    }
  }
}

async function sure(answer: Promise<Reply>): Promise<Reply> {
  const reply = await answer;
  if (reply instanceof ErrorReply) throw reply;
  return reply;
}

/** By database, from INFO. */
function keysOf(info: string): Map<string, number> {
  return new Map([...info.matchAll(/^db(\d+):keys=(\d+)/gm)].map(([, db, keys]) => [db, Number(keys)]));
}

function compareKeys(there: Map<string, number>, here: Map<string, number>): string[] {
  return [...new Set([...there.keys(), ...here.keys()])]
    .filter((db) => (there.get(db) ?? 0) !== (here.get(db) ?? 0))
    .map((db) => `database ${db}: ${there.get(db) ?? 0} at the source, ${here.get(db) ?? 0} here`);
}

function formatTable(databases: ImportSummary['databases']): string {
  const rows = [['database', 'type', 'keys', 'bytes', 'with deadline']];
  for (const [database, types] of [...databases].sort(([a], [b]) => a - b))
    for (const [type, { keys, bytes, withDeadline }] of [...types].sort(([a], [b]) => (a < b ? -1 : 1)))
      rows.push([`${database}`, type, `${keys}`, `${bytes}`, `${withDeadline}`]);
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map(
      (row) =>
        `${row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')}\n`,
    )
    .join('');
}
