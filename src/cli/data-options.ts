/** The options of `redraft export`: what takes data out of a node. */
import { option } from './option-row.js';
import { hostAndPort, integerBetween, nonEmptyText, yesOrNo } from './option-types.js';
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
