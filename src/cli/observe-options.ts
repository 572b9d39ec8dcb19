/** The options by which a node is watched. */
import { logLevels } from '../observability/log.js';
import { option } from './option-row.js';
import { anyText, listenAddress, nonEmptyText, oneOf } from './option-types.js';

const group = 'Observation';

export const httpRows = {
  http: option({
    group,
    argument: '[HOST:]PORT',
    type: listenAddress,
    default: undefined,
    shownDefault: 'none',
    example: '--http 9121',
    help: 'Serve health (/healthz, /readyz), /metrics for Prometheus and a status page (/)',
  }),
  httpToken: option({
    group,
    argument: 'TOKEN',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: 'REDRAFT_HTTP_TOKEN=secret redraft --http 9121',
    help: 'Metrics and page ask for it as a bearer token; a file or the environment hides it from ps',
  }),
  httpTokenFile: option({
    group,
    argument: 'FILE',
    type: nonEmptyText,
    default: undefined,
    shownDefault: 'none',
    example: '--http-token-file /run/secrets/http',
    help: 'The same, from the one line of a file',
  }),
  httpTls: option({
    group,
    argument: 'yes|no',
    type: oneOf('yes', 'no'),
    default: 'no',
    example: '--http-tls yes',
    help: 'HTTPS, with the certificate of --tls-cert-file; nobody is asked for one',
  }),
};

export const logRows = {
  loglevel: option({
    group,
    short: 'l',
    argument: 'LEVEL',
    type: oneOf(...logLevels),
    default: 'notice',
    example: '--loglevel verbose',
    help: `What is logged: ${logLevels.join(', ')}`,
  }),
  logFormat: option({
    group,
    argument: 'text|json',
    type: oneOf('text', 'json'),
    default: 'text',
    example: '--log-format json',
    help: 'json: an object a line, with what happened in fields of their own',
  }),
  logfile: option({
    group,
    argument: 'FILE',
    type: anyText,
    default: '',
    shownDefault: 'standard output',
    example: '--logfile /var/log/redraft.log',
    help: 'Where the log goes; opened anew at SIGHUP, so that it can be moved away before',
  }),
  syslogEnabled: option({
    group,
    argument: 'yes|no',
    type: oneOf('yes', 'no'),
    default: 'no',
    example: '--syslog-enabled yes',
    help: "Log to the system's log, too",
  }),
  syslogIdent: option({
    group,
    argument: 'NAME',
    type: nonEmptyText,
    default: 'redraft',
    example: '--syslog-ident orders',
    help: 'What this node calls itself there',
  }),
  syslogFacility: option({
    group,
    argument: 'FACILITY',
    type: oneOf('user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'),
    default: 'local0',
    example: '--syslog-facility local3',
    help: 'The facility there: user, or local0 to local7',
  }),
};
