/** Options that several subcommands have, each with its own words. */
import { option } from './option-row.js';
import { integerBetween, nonEmptyText, yesOrNo } from './option-types.js';

export const jsonRow = (help = 'Print a JSON object', example = '--json') =>
  option({ group: 'How', argument: '', type: yesOrNo, default: 'no', example, help });

export const tlsRow = (help: string) =>
  option({
    group: 'TLS',
    argument: '',
    type: yesOrNo,
    default: 'no',
    example: '--tls --tls-ca-cert-file ca.crt',
    help,
  });

/** A password, as it is and from a file. */
export const passwordRows = (group: string, example: string, help: string) => ({
  requirepass: option({
    group,
    argument: 'PASSWORD',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example,
    help,
  }),
  requirepassFile: option({
    group,
    argument: 'FILE',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: '--requirepass-file /run/secrets/redraft',
    help: 'The same, from the one line of a file',
  }),
});

/** Which keys; `where` says for what this holds, behind a semicolon. */
export const keyRows = (where = '') => ({
  db: option({
    group: 'What',
    argument: 'N',
    type: integerBetween(0, 0x7fffffff),
    default: undefined,
    shownDefault: 'all',
    example: '--db 0',
    help: `Only the keys of this database${where}`,
  }),
  match: option({
    group: 'What',
    argument: 'PATTERN',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'all',
    example: "--match 'user:*'",
    help: `Only the keys whose names match, as KEYS has it${where}`,
  }),
});
