/** The options of `redraft import`, `export`, `backup` and `restore`: data into a node, and out of it. */
import { jsonRow, keyRows, passwordRows, tlsRow } from './common-rows.js';
import { option } from './option-row.js';
import {
  durationBetween,
  hostAndPort,
  integerBetween,
  nonEmptyText,
  type OptionType,
  yesOrNo,
} from './option-types.js';
import { DEFAULT_PORT, type OptionValues } from './options.js';
import { certificateRows } from './tls-options.js';

/** Which node, and as whom. */
const nodeRows = {
  from: option({
    group: 'Where from',
    argument: 'HOST:PORT',
    type: hostAndPort,
    default: `127.0.0.1:${DEFAULT_PORT}`,
    example: '--from 10.0.0.1:7481',
    help: 'A node of the cluster: leader or follower, each has all',
  }),
  ...passwordRows(
    'Where from',
    'REDRAFT_REQUIREPASS=secret redraft export dump.rdb',
    'The password that the node asks of its clients',
  ),
} as const;

const connectionRows = {
  tls: tlsRow('Speak TLS with the node'),
  ...certificateRows,
  json: jsonRow('Print a JSON object at the end'),
} as const;

/** Where an import goes to, and as whom. */
export const importTable = {
  to: option({
    group: 'Where to',
    short: 't',
    argument: 'HOST:PORT',
    type: hostAndPort,
    default: `127.0.0.1:${DEFAULT_PORT}`,
    example: '--to 10.0.0.1:7481',
    help: 'The node that takes the keys: any of the cluster',
  }),
  ...passwordRows(
    'Where to',
    'REDRAFT_REQUIREPASS=secret redraft import dump.rdb',
    'The password that the node asks of its clients',
  ),
  replace: option({
    group: 'Where to',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--replace',
    help: 'Overwrite keys that are there; otherwise they stay as they are, and are counted',
  }),
  ...keyRows('; of a file, or with --once'),
  dryRun: option({
    group: 'What',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--dry-run',
    help: 'Say what a file holds, and import nothing',
  }),
  once: option({
    group: 'A running Redis',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--once',
    help: 'Take the data as they are, and do not follow the writes that come after',
  }),
  cutover: option({
    group: 'A running Redis',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--cutover',
    help: 'Cut over as soon as the node has caught up, without waiting for ^C',
  }),
  pause: option({
    group: 'A running Redis',
    argument: 'DURATION',
    type: durationBetween(1000, 3_600_000),
    default: '60s',
    example: '--pause 5m',
    help: 'For how long a cutover holds up writes at the source: clients are to move meanwhile',
  }),
  tls: tlsRow('Speak TLS with the node; with the source where it is a rediss:// URL'),
  ...certificateRows,
  json: jsonRow('Print a JSON object at the end instead of a table'),
} as const;

export type ImportOptions = OptionValues<typeof importTable>;

/** Where an export comes from, and as whom. */
export const exportTable = {
  ...nodeRows,
  dataDir: option({
    group: 'Where from',
    argument: 'DIR',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: '--data-dir /var/lib/redraft',
    help: 'Instead: the data directory of a node that does not run',
  }),
  ...keyRows(),
  ...connectionRows,
} as const;

export type ExportOptions = OptionValues<typeof exportTable>;

/** Where a backup comes from, and how many there are to be. */
export const backupTable = {
  ...nodeRows,
  continuous: option({
    group: 'How',
    argument: 'DIR',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: '--continuous /backup/redraft',
    help: 'Instead of a file: keep a folder up to date with every write, until interrupted',
  }),
  every: option({
    group: 'How',
    argument: 'DURATION',
    type: durationBetween(1000, 90 * 24 * 3_600_000),
    default: '1440m',
    example: '--every 360m',
    help: 'With --continuous: how often another base is taken, from which a restore starts',
  }),
  keep: option({
    group: 'How',
    argument: 'N',
    type: integerBetween(1, 100_000),
    default: undefined,
    shownDefault: 'all; 2 with --continuous',
    example: '--keep 7',
    help: 'Remove older backups of the same cluster beside the file; with --continuous: bases that stay',
  }),
  ...connectionRows,
} as const;

export type BackupOptions = OptionValues<typeof backupTable>;

/** An index of the log, or a time: 2026-11-28T20:00:00Z, or milliseconds since 1970 as @1700000000000. */
const restorePoint: OptionType<{ readonly index: number } | { readonly timeMs: number }> = {
  allowed: 'an index of the log, a time such as 2026-11-28T20:00:00Z, or @ and milliseconds since 1970',
  parse: (text) => {
    if (/^\d{1,15}$/.test(text)) return { index: Number(text) };
    if (/^@\d{1,15}$/.test(text)) return { timeMs: Number(text.slice(1)) };
    if (!/^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
    const timeMs = Date.parse(text);
    return Number.isNaN(timeMs) ? undefined : { timeMs };
  },
};

/** Where to, and up to where. */
export const restoreTable = {
  dir: option({
    group: 'Where to',
    short: 'd',
    argument: 'DIR',
    type: nonEmptyText,
    default: './data',
    example: '--dir /var/lib/redraft',
    help: 'The data directory of the first node of the new cluster: empty, or not there',
  }),
  address: option({
    group: 'Where to',
    argument: 'HOST:PORT',
    type: hostAndPort,
    default: `127.0.0.1:${DEFAULT_PORT}`,
    example: '--address 10.0.0.1:7481',
    help: 'Where that node will be reached; it corrects this when it starts',
  }),
  to: option({
    group: 'What',
    argument: 'POINT',
    type: restorePoint,
    default: undefined,
    shownDefault: 'all there is',
    example: '--to 2026-11-28T20:00:00Z',
    help: 'Of a continuous backup: up to this index of the log, or this time of it',
  }),
  json: jsonRow('Print a JSON object at the end'),
} as const;

export type RestoreOptions = OptionValues<typeof restoreTable>;
