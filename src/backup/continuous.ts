/**
 * Continuous backup: a base now and then, and every entry between, each durable before the next is asked
 * for.
 */
import { monotonicNow, setTimeout } from '../../raft/node/timers.js';
import { syncDirectory } from '../migration/output-file.js';
import { headOf, writeBackup } from './backup-file.js';
import { BackupChain } from './chain.js';
import { BackupError, LogFileReader, LogFileWriter } from './log-file.js';
import { EntriesGone, type NodeSource } from './node-source.js';

const POLL_MS = 200;

export interface ContinuousOptions {
  readonly directory: string;
  /** Another base is taken so often. */
  readonly everyMs: number;
  /** Bases that stay. */
  readonly keep: number;
  readonly say: (text: string) => void;
  /** Called after each piece of a base. */
  readonly progress: (bytes: number, total: number) => void;
  /** Called after each look at the log: the last entry that is durable here, and the node's last. */
  readonly followed: (index: number, last: number) => void;
  readonly isStopped: () => boolean;
}

export class ContinuousBackup {
  private log: LogFileWriter | undefined;
  private baseAtMs = monotonicNow();

  private constructor(
    private readonly chain: BackupChain,
    private readonly options: ContinuousOptions,
  ) {}

  /** Goes on with what is in the folder, or begins it. */
  static async open(options: ContinuousOptions): Promise<ContinuousBackup> {
    return new ContinuousBackup(await BackupChain.open(options.directory), options);
  }

  /**
   * Follows a node until told to stop, or until the connection is lost: then it may be called again, with a
   * connection to any node of the cluster.
   */
  async run(source: NodeSource): Promise<void> {
    if (this.log === undefined) await this.begin(source);
    while (!this.options.isStopped()) {
      const isDue = monotonicNow() - this.baseAtMs >= this.options.everyMs;
      if (isDue || this.log === undefined) await this.takeBase(source);
      else if (!(await this.follow(source))) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async close(): Promise<void> {
    await this.log?.close();
    this.log = undefined;
  }

  private async begin(source: NodeSource): Promise<void> {
    const { chain } = this;
    const after = chain.logs.at(-1);
    if (chain.bases.length > 0 && after !== undefined) {
      const reader = await LogFileReader.open(chain.logPath(after));
      await reader.close();
      this.log = await LogFileWriter.reopen(chain.logPath(after));
      this.options.say(`goes on behind entry ${this.log.last}`);
      await this.refuseStranger(source, reader.head.clusterId);
      return;
    }
    await this.takeBase(source);
  }

  /** Entries of another cluster must never join these. */
  private async refuseStranger(source: NodeSource, clusterId: string): Promise<void> {
    const other = (await source.snapshot()).clusterId;
    if (other !== clusterId)
      throw new BackupError(`${this.chain.directory} is of cluster ${clusterId}, the node of ${other}`);
  }

  /** Writes what came since the last look. @returns whether there may be more */
  private async follow(source: NodeSource, upTo = Number.POSITIVE_INFINITY): Promise<boolean> {
    const log = this.log!;
    let found: Awaited<ReturnType<NodeSource['entries']>>;
    try {
      found = await source.entries(log.last + 1);
    } catch (error) {
      if (!(error instanceof EntriesGone)) throw error;
      this.options.say(`${error.message}: no time behind entry ${log.last} can be named until the next base`);
      await this.close();
      return true;
    }
    await log.append(found.entries.filter(({ index }) => index <= upTo));
    this.options.followed(log.last, found.last);
    return log.last < Math.min(found.last, upTo);
  }

  private async takeBase(source: NodeSource): Promise<void> {
    const { chain, options } = this;
    const head = await source.snapshot();
    const known = chain.bases.at(-1);
    if (known !== undefined) {
      const own = await headOf(chain.basePath(known));
      if (own !== undefined && own.clusterId !== head.clusterId)
        throw new BackupError(
          `${chain.directory} is of cluster ${own.clusterId}, the node of ${head.clusterId}`,
        );
    }
    // What leads up to the base belongs to the file before.
    while (this.log !== undefined && this.log.last < head.index) await this.follow(source, head.index);
    await writeBackup(chain.basePath(head.index), source, options.progress, head);
    this.baseAtMs = monotonicNow();
    if (this.log?.last !== head.index || !chain.logs.includes(head.index)) {
      await this.log?.close();
      this.log = await this.createLog(head.index, head.clusterId);
    }
    await chain.look();
    await chain.keepNewest(options.keep);
    options.say(`a base of entry ${head.index} is there`);
  }

  private async createLog(after: number, clusterId: string): Promise<LogFileWriter> {
    const path = this.chain.logPath(after);
    if (this.chain.logs.includes(after)) return LogFileWriter.reopen(path);
    const writer = await LogFileWriter.create(path, { clusterId, after });
    await syncDirectory(this.chain.directory);
    return writer;
  }
}
