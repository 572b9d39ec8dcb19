/** The options of `redraft export`, `backup` and `restore`: data out of a node, and back. */
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
  requirepass: option({
    group: 'Where from',
    argument: 'PASSWORD',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: 'REDRAFT_REQUIREPASS=secret redraft export dump.rdb',
    help: 'The password that the node asks of its clients',
  }),
  requirepassFile: option({
    group: 'Where from',
    argument: 'FILE',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: '--requirepass-file /run/secrets/redraft',
    help: 'The same, from the one line of a file',
  }),
} as const;

const connectionRows = {
  tls: option({
    group: 'TLS',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--tls --tls-ca-cert-file ca.crt',
    help: 'Speak TLS with the node',
  }),
  ...certificateRows,
  json: option({
    group: 'How',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--json',
    help: 'Print a JSON object at the end',
  }),
} as const;

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
  db: option({
    group: 'What',
    argument: 'N',
    type: integerBetween(0, 0x7fffffff),
    default: undefined,
    shownDefault: 'all',
    example: '--db 0',
    help: 'Only the keys of this database',
  }),
  match: option({
    group: 'What',
    argument: 'PATTERN',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'all',
    example: "--match 'user:*'",
    help: 'Only the keys whose names match, as KEYS has it',
  }),
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
  json: option({
    group: 'How',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--json',
    help: 'Print a JSON object at the end',
  }),
} as const;

export type RestoreOptions = OptionValues<typeof restoreTable>;
