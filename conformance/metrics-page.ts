/** Writes docs/METRICS.md from the table of metrics: `npm run docs:metrics`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { metricTable } from '../src/http/metric-table.js';
import { Metrics } from '../src/http/metrics.js';
import { projectDirectory } from './command-facts.js';

const row = (name: string, type: string, labels: readonly string[], help: string): string =>
  `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help.replaceAll('|', '\\|')} |`;

/** The page's text. */
export function metricsPage(): string {
  const own = metricTable.map(({ name, type, labels, help }) => row(name, type, labels, help));
  const ofProcess = new Metrics()
    .list()
    .filter(({ name }) => !name.startsWith('redraft_'))
    .map(({ name, type, help }) => row(name, type, [], help));
  const head = '| Metric | Type | Labels | What it tells |\n|---|---|---|---|';
  return `# Metrics and the status page

\`redraft --http 9121\` opens a port of its own on 127.0.0.1, beside those for clients; \`--http 0.0.0.0:9121\` opens it to others. It only reads.

| Path | Answers |
|---|---|
| \`/healthz\` | 200 as long as the process serves: for whoever restarts it |
| \`/readyz\` | 200 if clients may be sent here: a voter that knows a leader and has caught up; else 503 and why, a line each |
| \`/metrics\` | what Prometheus scrapes |
| \`/\` | a page for people: the cluster, load and latency of the last five minutes, memory, clients, the slow log, and on request the largest keys |

\`--http-token\` (or \`--http-token-file\`, or REDRAFT_HTTP_TOKEN) has \`/metrics\` and what the page shows ask for \`Authorization: Bearer TOKEN\`. The
page asks its reader for it. Health needs none: probes often cannot send one. Without a token, a node that listens on this machine alone answers to
\`localhost\` and to addresses, and not to names, so that no other page in a browser can read it.

\`--http-tls yes\` speaks HTTPS with the certificate of \`--tls-cert-file\`, and follows it as it is renewed. Whoever connects is asked for the token,
not for a certificate.

![The status page](images/status-light.png)

In the dark, and on a phone:

![The status page in the dark](images/status-dark.png)

![The status page on a phone](images/status-phone.png)

## Prometheus and Grafana

    scrape_configs:
      - job_name: redraft
        authorization: { credentials_file: /etc/prometheus/redraft-token }
        static_configs:
          - targets: ['redraft-1:9121', 'redraft-2:9121', 'redraft-3:9121']

\`deploy/prometheus/alerts.yml\` has alert rules, \`alerts.test.yml\` beside it what they must do (\`promtool test rules\`), and
\`deploy/grafana/redraft.json\` a dashboard.

## What it costs

Nothing where \`--http\` is not given: the part of the program is not loaded, and every number is one that INFO counts anyway. With it, a scrape takes
some milliseconds of the event loop; docs/PERFORMANCE.md has what that costs at one scrape a second.

## Of Redraft

Each node tells of itself. What a leader alone knows, such as its peers' lag, other nodes leave out.

${head}
${own.join('\n')}

## Of the process

From prom-client: the names that other programs in Node have, too.

${head}
${ofProcess.join('\n')}

This page is generated from the table of metrics (\`npm run docs:metrics\`); do not edit it.
`;
}

/** Where the page stands. */
export const metricsPageFile = join(projectDirectory(), 'docs', 'METRICS.md');

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(metricsPageFile, metricsPage());
