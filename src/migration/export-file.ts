/** From a node to an RDB file: through the network, or from the directory of one that does not run. */
import { globMatches, RdbConversion, RdbFileWriter, viewOf } from '../../engine/index.js';
import { DataDirectory, openStoppedNode } from '../../raft/node/index.js';
import { wallNow } from '../../raft/node/timers.js';
import { EngineStateMachine } from '../replication/state-machine.js';
import { serverVersion } from '../version.js';
import { ImportError } from './destination.js';
import type { KeyFilter } from './import-file.js';
import type { Output } from './output-file.js';
import { RdbFile, type RdbKey } from './rdb-file.js';
import type { ReplicationSource } from './replication-source.js';

export interface FileExport {
  readonly filter: KeyFilter;
  readonly output: Output;
  /** Called after each piece; `bytes` of the source. */
  readonly progress: (keys: number, bytes: number, total: number | undefined) => void;
}

export interface ExportSummary {
  keys: number;
  /** Keys that the filter left out. */
  leftOut: number;
  libraries: number;
  /** Of the file. */
  bytes: number;
}

const facts = (): readonly (readonly [string, string])[] => [
  ['redis-ver', serverVersion],
  ['redis-bits', '64'],
  ['ctime', `${Math.floor(wallNow() / 1000)}`],
  ['aof-base', '0'],
];

const isFiltered = ({ database, pattern }: KeyFilter): boolean =>
  database !== undefined || pattern !== undefined;

const wants = (filter: KeyFilter, database: number, key: string): boolean =>
  (filter.database === undefined || filter.database === database) &&
  (filter.pattern === undefined || globMatches(viewOf(filter.pattern), viewOf(key)));

/** Bytes that a writer has given and the output has not taken. */
class Gathered {
  bytes = 0;
  private pieces: Buffer[] = [];

  readonly sink = (piece: Buffer): void => {
    this.pieces.push(piece);
    this.bytes += piece.length;
  };

  async drain(output: Output): Promise<void> {
    const { pieces } = this;
    this.pieces = [];
    for (const piece of pieces) await output.write(piece);
  }
}

/**
 * Takes the file that a node sends to its replicas. Without a filter it is passed on as it is.
 *
 * @throws RdbFileError for a damaged file, ImportError for a node that is lost
 */
export async function exportFromNode(
  source: ReplicationSource,
  { filter, output, progress }: FileExport,
): Promise<ExportSummary> {
  const summary: ExportSummary = { keys: 0, leftOut: 0, libraries: 0, bytes: 0 };
  const file = new RdbFile();
  const total = source.fileLength;
  const gathered = new Gathered();
  const writer = isFiltered(filter) ? new RdbFileWriter(gathered.sink) : undefined;
  writer?.begin(facts());
  for (;;) {
    const chunk = await source.fileChunk();
    if (writer === undefined) gathered.sink(chunk);
    file.feed(chunk);
    for (let record = file.next(); record !== undefined; record = file.next()) {
      if (record.kind === 'end') {
        writer?.end();
        await gathered.drain(output);
        progress(summary.keys, file.bytesRead, total);
        return { ...summary, bytes: gathered.bytes };
      }
      if (record.kind === 'functions') {
        summary.libraries++;
        writer?.functions(record.source);
      } else if (wants(filter, record.database, record.key)) {
        summary.keys++;
        if (writer !== undefined) writeKey(writer, record);
      } else summary.leftOut++;
    }
    await gathered.drain(output);
    progress(summary.keys, file.bytesRead, total);
  }
}

function writeKey(writer: RdbFileWriter, record: RdbKey): void {
  const { database, key, expireMs, idleSeconds, frequency, rdbType, value, valueBytes } = record;
  if (value === undefined)
    throw new ImportError(
      `key '${key}' of database ${database} has ${valueBytes} bytes: only an export of all keys takes it`,
    );
  writer.key({
    database,
    key: Buffer.from(key, 'latin1'),
    deadlineMs: expireMs ?? 0,
    idleSeconds,
    frequency,
    rdbType,
    value,
  });
}

/**
 * Takes what the directory of a node holds that does not run.
 *
 * @throws StorageError for what is wrong with the directory
 */
export async function exportFromDirectory(
  path: string,
  { filter, output, progress }: FileExport,
  onNotice: (text: string) => void,
): Promise<ExportSummary> {
  const directory = await DataDirectory.open(path);
  try {
    const node = await openStoppedNode(directory, onNotice);
    const machine = new EngineStateMachine({});
    try {
      if (node.snapshot !== undefined) await machine.install(node.snapshot);
      for (const entries of node.entries()) machine.apply(entries);
      if (node.uncertain > 0)
        onNotice(
          `${node.uncertain} entries are left out that this node does not know to be committed: a running cluster knows`,
        );
    } finally {
      await node.close();
    }
    const gathered = new Gathered();
    const conversion = new RdbConversion({
      facts: facts(),
      sink: gathered.sink,
      wants: isFiltered(filter) ? (database, key) => wants(filter, database, key) : undefined,
    });
    const cut = machine.engine.cut();
    let bytes = 0;
    for (let piece = cut.next(() => true); piece !== undefined; piece = cut.next(() => true)) {
      conversion.feed(piece);
      bytes += piece.length;
      await gathered.drain(output);
      progress(conversion.keys, bytes, undefined);
    }
    conversion.finish();
    await gathered.drain(output);
    const { keys, leftOut, libraries } = conversion;
    return { keys, leftOut, libraries, bytes: gathered.bytes };
  } finally {
    await directory.close();
  }
}
