/**
 * The node that takes what is imported. Batches go one behind the other, each as a whole: when the connection
 * is lost, or another node leads, what was not answered goes to the new leader.
 */
import { ErrorReply, type Reply, sealDump } from '../../engine/index.js';
import { monotonicNow, setTimeout } from '../../raft/node/timers.js';
import { ConnectionError, type RespClient } from '../resp/client.js';
import type { RdbKey } from './rdb-file.js';

const BATCH_ITEMS = 512;
const BATCH_BYTES = 4 * 1024 * 1024;
const RETRY_EVERY_MS = 200;
/** Elections and restarts pass in less. */
const RETRIES_FOR_MS = 60_000;

/** What the import cannot go on from; the text says why. */
export class ImportError extends Error {
  override readonly name = 'ImportError';
}

export interface DestinationOptions {
  /** host:port of any node of the cluster. */
  readonly address: string;
  /** Opens a connection that is authenticated. */
  readonly connect: (address: string) => Promise<RespClient>;
  /** Whether keys that are there are overwritten. */
  readonly replaces: boolean;
}

interface Item {
  readonly database: number;
  readonly name: string;
  readonly args: readonly (string | Buffer)[];
}

export class Destination {
  /** Keys that were restored. */
  restored = 0;
  /** Keys that were there already, and stay as they were. */
  existing = 0;
  private client: RespClient | undefined;
  private address: string;
  private database = 0;
  /** The connection that watches the marker of {@link transaction}. */
  private watching: RespClient | undefined;
  private batch: Item[] = [];
  private batchBytes = 0;

  constructor(private readonly options: DestinationOptions) {
    this.address = options.address;
  }

  /** Restores a key, soon: resolves when it may take more. @throws ImportError */
  async restore(key: RdbKey & { readonly value: Buffer }): Promise<void> {
    const args: (string | Buffer)[] = ['RESTORE', key.key, `${key.expireMs ?? 0}`];
    args.push(sealDump(key.rdbType, key.value));
    if (key.expireMs !== undefined) args.push('ABSTTL');
    if (this.options.replaces) args.push('REPLACE');
    if (key.idleSeconds !== undefined) args.push('IDLETIME', `${key.idleSeconds}`);
    else if (key.frequency !== undefined) args.push('FREQ', `${key.frequency}`);
    this.batch.push({ database: key.database, name: key.key, args });
    this.batchBytes += key.value.length + key.key.length;
    if (this.batch.length >= BATCH_ITEMS || this.batchBytes >= BATCH_BYTES) await this.flush();
  }

  /** Loads a library of functions. @throws ImportError */
  async load(source: string): Promise<void> {
    await this.flush();
    const reply = await this.call([
      'FUNCTION',
      'LOAD',
      ...(this.options.replaces ? ['REPLACE'] : []),
      source,
    ]);
    if (!(reply instanceof ErrorReply)) return;
    if (!/already exists/.test(reply.text)) throw new ImportError(`a library of functions: ${reply.text}`);
    this.existing++;
  }

  /** Sends what is gathered. Resolves when all of it is answered. @throws ImportError */
  async flush(): Promise<void> {
    let left = this.batch;
    this.batch = [];
    this.batchBytes = 0;
    let isRetried = false;
    while (left.length > 0) {
      left = await this.withLeader(async (client) => this.restoreAll(client, left, isRetried));
      isRetried = true;
    }
  }

  /** @returns those that the leader did not answer */
  private async restoreAll(client: RespClient, items: Item[], isRetried: boolean): Promise<Item[]> {
    const sent = items.map((item) => {
      const select = item.database === this.database ? undefined : client.call('SELECT', `${item.database}`);
      this.database = item.database;
      return { item, select, reply: client.call(...item.args) };
    });
    const settled = await Promise.allSettled(sent.flatMap(({ select, reply }) => [select, reply]));
    const left: Item[] = [];
    let elsewhere: unknown;
    for (const [i, { item }] of sent.entries()) {
      const [select, reply] = settled.slice(2 * i, 2 * i + 2);
      if (select.status === 'fulfilled' && select.value instanceof ErrorReply)
        throw new ImportError(`database ${item.database} of the node: ${select.value.text}`);
      if (reply.status === 'rejected') elsewhere = reply.reason;
      else if (reply.value instanceof ErrorReply && isElsewhere(reply.value)) elsewhere = reply.value;
      else {
        this.answered(item, reply.value as Reply, isRetried);
        continue;
      }
      left.push(item);
    }
    if (elsewhere !== undefined) await this.moveOn(elsewhere);
    return left;
  }

  private answered(item: Item, reply: Reply, isRetried: boolean): void {
    if (!(reply instanceof ErrorReply)) {
      this.restored++;
    } else if (reply.text.startsWith('BUSYKEY')) {
      // Of one that was sent before, the answer may have been lost.
      if (isRetried) this.restored++;
      else this.existing++;
    } else {
      throw new ImportError(`key '${item.name}' of database ${item.database}: ${reply.text}`);
    }
  }

  /**
   * Asks the leader, whoever leads; in database 0.
   *
   * @throws ImportError where nobody can be asked for too long
   */
  async call(args: readonly (string | Buffer)[]): Promise<Reply> {
    for (;;) {
      const reply = await this.withLeader(async (client) => {
        const selected = this.database === 0 ? undefined : client.call('SELECT', '0');
        this.database = 0;
        const [, answer] = await Promise.all([selected, client.call(...args)]);
        if (!(answer instanceof ErrorReply) || !isElsewhere(answer)) return { answer };
        await this.moveOn(answer);
        return undefined;
      });
      if (reply !== undefined) return reply.answer;
    }
  }

  /**
   * Runs commands as one transaction that moves `marker` on; SELECTs may stand among them. It runs once,
   * however often it has to be sent: whoever has it run late finds that the marker has changed.
   *
   * @param from what the marker holds before; undefined: nothing
   * @returns what each command answered
   * @throws ImportError where the marker holds anything else
   */
  async transaction(
    commands: readonly (readonly (string | Buffer)[])[],
    marker: string,
    from: string | undefined,
    to: string,
  ): Promise<readonly Reply[]> {
    await this.flush();
    for (;;) {
      const replies = await this.withLeader(async (client) => {
        if (this.watching !== client) {
          const found = await this.watch(client, marker);
          if (found === to) return [];
          if (found !== from)
            throw new ImportError(`another import has changed ${marker}: it holds ${found}`);
        }
        const sent = [['MULTI'], ...commands, ['SELECT', '0'], ['SET', marker, to], ['EXEC']];
        const answers = sent.map((args) => client.call(...args));
        // At once again: nothing of this connection that arrives late may run.
        answers.push(client.call('WATCH', marker));
        const settled = await Promise.all(answers);
        this.database = 0;
        const refused = settled.slice(0, -2).find((reply) => reply instanceof ErrorReply);
        const reply = refused ?? settled.at(-2);
        if (Array.isArray(reply)) return reply.slice(0, commands.length);
        this.watching = undefined;
        if (reply instanceof ErrorReply && !isElsewhere(reply)) throw new ImportError(reply.text);
        if (reply !== null) await this.moveOn(reply);
        return undefined;
      });
      if (replies !== undefined) return replies;
    }
  }

  private async watch(client: RespClient, marker: string): Promise<string | undefined> {
    const [, , found] = await Promise.all([
      client.call('SELECT', '0'),
      client.call('WATCH', marker),
      client.call('GET', marker),
    ]);
    this.database = 0;
    if (found instanceof ErrorReply) {
      if (!isElsewhere(found)) throw new ImportError(found.text);
      await this.moveOn(found);
      throw new ConnectionError('another node leads');
    }
    this.watching = client;
    return found === null ? undefined : `${found as Buffer}`;
  }

  async close(): Promise<void> {
    await this.client?.close();
  }

  // ---- who leads ----

  private async withLeader<Result>(step: (client: RespClient) => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await step(await this.leader());
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        await this.moveOn(error);
      }
    }
  }

  private async leader(): Promise<RespClient> {
    if (this.client !== undefined && !this.client.closed) return this.client;
    const until = monotonicNow() + RETRIES_FOR_MS;
    for (;;) {
      try {
        this.client = await this.options.connect(this.address);
        this.database = 0;
        return this.client;
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        if (monotonicNow() > until) throw new ImportError(`no node can be reached: ${error.message}`);
        // Any node knows the leader.
        this.address = this.options.address;
        await new Promise((resolve) => setTimeout(resolve, RETRY_EVERY_MS));
      }
    }
  }

  /** Goes to the node that an answer names, or asks again in a moment. */
  private async moveOn(why: unknown): Promise<void> {
    const text = why instanceof ErrorReply ? why.text : '';
    const named = /^(?:TRY|MOVED \d+) (\S+:\d+)/.exec(text)?.[1];
    await this.client?.close();
    this.client = undefined;
    if (named !== undefined) this.address = named;
    else {
      this.address = this.options.address;
      await new Promise((resolve) => setTimeout(resolve, RETRY_EVERY_MS));
    }
  }
}

/** Whether an error says that another node, or this one in a moment, would do it. */
function isElsewhere({ text }: ErrorReply): boolean {
  return /^(TRY|MOVED|CLUSTERDOWN|LOADING|READONLY|MASTERDOWN|UNKNOWN)\b/.test(text);
}
