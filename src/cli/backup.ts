/** `redraft backup`: a copy of the state while the cluster runs, in a file or as a folder that goes on. */
import type { SecureContextOptions } from 'node:tls';
import { ErrorReply, utf8Bytes } from '../../engine/index.js';
import { StorageError } from '../../raft/node/index.js';
import { setTimeout } from '../../raft/node/timers.js';
import { removeOldBackups, writeBackup } from '../backup/backup-file.js';
import { ContinuousBackup } from '../backup/continuous.js';
import { BackupError } from '../backup/log-file.js';
import { NodeSource } from '../backup/node-source.js';
import { readClientFiles, TlsError } from '../net/tls-files.js';
import { ConnectionError, RespClient } from '../resp/client.js';
import type { BackupOptions } from './data-options.js';
import { openProgress, type SaidTo } from './progress.js';
import { certificateParameters } from './tls-options.js';

type Print = (text: string) => void;

/** A snapshot of much data takes long to begin. */
const REPLY_TIMEOUT_MS = 30 * 60_000;
const RETRY_MS = 500;

/** @returns the exit code: 0 if the backup is there; of a continuous one, if it was ended by a signal */
export async function runBackup(
  path: string | undefined,
  options: BackupOptions,
  print: Print,
  said: SaidTo,
): Promise<number> {
  try {
    if (options.continuous !== undefined) return await follow(options.continuous, options, said);
    const source = await connect(options);
    const progress = await openProgress(said, !options.json);
    try {
      const head = await writeBackup(path!, source, (bytes, total) => progress.bytes(bytes, total));
      progress.end();
      const removed = options.keep === undefined ? [] : await removeOldBackups(path!, options.keep);
      const facts = {
        file: path,
        cluster: head.clusterId,
        index: head.index,
        bytes: head.dataBytes,
        removed,
      };
      if (options.json) print(`${JSON.stringify(facts)}\n`);
      else for (const [name, value] of Object.entries(facts)) print(`${name.padEnd(12)} ${value}\n`);
      return 0;
    } finally {
      progress.end();
      await source.close();
    }
  } catch (error) {
    return failed(error, said.print);
  }
}

/** What was foreseen is said in a line. */
export function failed(error: unknown, complain: Print): number {
  const isExpected =
    [BackupError, StorageError, ConnectionError, TlsError].some((kind) => error instanceof kind) ||
    (error as NodeJS.ErrnoException).code !== undefined;
  if (!isExpected) throw error;
  complain(`redraft: ${(error as Error).message}\n`);
  return 1;
}

async function connect(options: BackupOptions): Promise<NodeSource> {
  const { from, requirepass } = options;
  const tls: SecureContextOptions | undefined = options.tls
    ? readClientFiles((name) => certificateParameters(options).get(name) ?? '')
    : undefined;
  const client = await RespClient.connect({ ...from, tls, replyTimeoutMs: REPLY_TIMEOUT_MS });
  if (requirepass !== undefined) {
    const reply = await client.call('AUTH', Buffer.from(utf8Bytes(requirepass), 'latin1'));
    if (reply instanceof ErrorReply) throw new BackupError(`the node refuses: ${reply.text}`);
  }
  return new NodeSource(client);
}

async function follow(directory: string, options: BackupOptions, said: SaidTo): Promise<number> {
  let isStopped = false;
  const stop = (): void => {
    isStopped = true;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  const progress = await openProgress(said, !options.json);
  const backup = await ContinuousBackup.open({
    directory,
    everyMs: options.every,
    keep: options.keep ?? 2,
    say: progress.note,
    progress: (bytes, total) => progress.bytes(bytes, total),
    followed: (index, last) =>
      progress.state(() => `entry ${index} is there, ${Math.max(0, last - index)} behind`),
    isStopped: () => isStopped,
  });
  try {
    while (!isStopped) {
      let source: NodeSource | undefined;
      try {
        source = await connect(options);
        await backup.run(source);
      } catch (error) {
        // The node may be starting again; what is there stays.
        if (!(error instanceof ConnectionError)) throw error;
        progress.note(`${error.message}: connecting again`);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      } finally {
        await source?.close();
      }
    }
    return 0;
  } finally {
    progress.end();
    await backup.close();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  }
}
