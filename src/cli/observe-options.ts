/** The options by which a node is watched. */
import { option } from './option-row.js';
import { listenAddress, nonEmptyText, oneOf } from './option-types.js';

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
