/** `redraft export`: what a node holds, as an RDB file that redis-server 7.0 loads. */

import { SnapshotError, utf8Bytes } from '../../engine/index.js';
import { StorageError } from '../../raft/node/index.js';
import { ImportError } from '../migration/destination.js';
import { type ExportSummary, exportFromDirectory, exportFromNode } from '../migration/export-file.js';
import { OutputFile, OutputStream } from '../migration/output-file.js';
import { RdbFileError } from '../migration/rdb-file.js';
import { ReplicationSource } from '../migration/replication-source.js';
import { readClientFiles, TlsError } from '../net/tls-files.js';
import type { ExportOptions } from './data-options.js';
import { openProgress, type SaidTo } from './progress.js';
import { certificateParameters } from './tls-options.js';

type Print = (text: string) => void;

/** @returns the exit code: 0 if the file is there */
export async function runExport(
  path: string,
  options: ExportOptions,
  print: Print,
  said: SaidTo,
): Promise<number> {
  const beganMs = performance.now();
  const { print: complain } = said;
  try {
    const summary = await exportTo(path, options, said);
    const seconds = Math.round((performance.now() - beganMs) / 10) / 100;
    // Where the file itself goes to the standard output, nothing else may.
    const say = path === '-' ? complain : print;
    const facts = { ...summary, seconds };
    if (options.json) say(`${JSON.stringify(facts)}\n`);
    else for (const [name, value] of Object.entries(facts)) say(`${name.padEnd(12)} ${value}\n`);
    return 0;
  } catch (error) {
    const isExpected =
      [ImportError, RdbFileError, StorageError, SnapshotError, TlsError].some(
        (kind) => error instanceof kind,
      ) || (error as NodeJS.ErrnoException).code !== undefined;
    if (!isExpected) throw error;
    complain(`redraft: ${(error as Error).message}\n`);
    return 1;
  }
}

async function exportTo(path: string, options: ExportOptions, said: SaidTo): Promise<ExportSummary> {
  const { dataDir, db, match, from, requirepass } = options;
  const tls = options.tls
    ? readClientFiles((name) => certificateParameters(options).get(name) ?? '')
    : undefined;
  const progress = await openProgress(said, !options.json);
  const output = path === '-' ? new OutputStream(process.stdout) : await OutputFile.create(path);
  const order = {
    filter: { database: db, pattern: match === undefined ? undefined : utf8Bytes(match) },
    output,
    progress: (keys: number, bytes: number, total: number | undefined) => progress.tell(keys, bytes, total),
  };
  let source: ReplicationSource | undefined;
  try {
    let summary: ExportSummary;
    if (dataDir === undefined) {
      const credentials = requirepass === undefined ? [] : [utf8Bytes(requirepass)];
      source = await ReplicationSource.open({ ...from, tls, credentials, isFileOnly: true });
      summary = await exportFromNode(source, order);
    } else {
      summary = await exportFromDirectory(dataDir, order, progress.note);
    }
    await output.commit();
    return summary;
  } catch (error) {
    await output.abort();
    throw error;
  } finally {
    progress.end();
    source?.close();
  }
}
