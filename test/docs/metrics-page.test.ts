/** docs/METRICS.md, the alert rules and the dashboard name the metrics that there are. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { metricsPage, metricsPageFile } from '../../conformance/metrics-page.js';
import { metricTable } from '../../src/http/metric-table.js';
import { Metrics } from '../../src/http/metrics.js';
import { root } from '../program-path.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const names = new Set(new Metrics().list().map(({ name }) => name));
for (const { name, type } of metricTable)
  if (type === 'histogram') for (const suffix of ['_bucket', '_sum', '_count']) names.add(`${name}${suffix}`);

/** Names of metrics in an expression, and the labels that it matches or groups by. */
function namesIn(expression: string): { metrics: string[]; labels: string[] } {
  return {
    metrics: expression.match(/\b(redraft|nodejs|process)_\w+/g) ?? [],
    labels: [
      ...[...expression.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!),
      ...[...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/, */)),
    ],
  };
}

const known = new Set([...metricTable.flatMap(({ labels }) => labels), 'job', 'instance']);

function unknownIn(expression: string): string[] {
  const { metrics, labels } = namesIn(expression);
  assert.ok(metrics.length > 0 || /\bup\{/.test(expression), `${expression} names no metric`);
  return [...metrics.filter((name) => !names.has(name)), ...labels.filter((label) => !known.has(label))];
}

test('docs/METRICS.md is what the table of metrics says: else run npm run docs:metrics', () => {
  assert.equal(readFileSync(metricsPageFile, 'utf8'), metricsPage());
});

test("names are by Prometheus's conventions", () => {
  for (const { name, type, help } of metricTable) {
    assert.match(name, /^redraft_[a-z][a-z_]*[a-z]$/);
    assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
    if (type === 'histogram') assert.match(name, /_seconds$/);
    assert.doesNotMatch(help, /\.$/);
  }
  assert.equal(new Set(metricTable.map(({ name }) => name)).size, metricTable.length);
});

test('alert rules name metrics that there are', () => {
  const { groups } = parse(read('deploy/prometheus/alerts.yml')) as {
    groups: { rules: { alert: string; expr: string; annotations: object; labels: object }[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  assert.ok(rules.length > 15);
  for (const { alert, expr, annotations, labels } of rules) {
    assert.deepEqual(unknownIn(expr), [], alert);
    assert.deepEqual(Object.keys(annotations), ['summary', 'description'], alert);
    assert.deepEqual(Object.keys(labels), ['severity'], alert);
  }
});

test('what the alert rules must do is about alerts that there are', () => {
  const { tests } = parse(read('deploy/prometheus/alerts.test.yml')) as {
    tests: { input_series: { series: string }[]; alert_rule_test: { alertname: string }[] }[];
  };
  const rules = read('deploy/prometheus/alerts.yml');
  for (const { input_series, alert_rule_test } of tests) {
    for (const { series } of input_series) assert.deepEqual(unknownIn(series), [], series);
    for (const { alertname } of alert_rule_test)
      assert.ok(rules.includes(`alert: ${alertname}\n`), alertname);
  }
});

test('the dashboard names metrics that there are', () => {
  const { panels, templating } = JSON.parse(read('deploy/grafana/redraft.json')) as {
    panels: { title: string; targets: { expr: string }[] }[];
    templating: { list: { type: string; query: string | { query: string } }[] };
  };
  assert.ok(panels.length > 20);
  for (const { title, targets } of panels)
    for (const { expr } of targets) assert.deepEqual(unknownIn(expr), [], title);
  for (const { type, query } of templating.list)
    if (type === 'query' && typeof query === 'object') assert.deepEqual(unknownIn(query.query), []);
});

test('what is not there is found', () => {
  assert.deepEqual(unknownIn('rate(redraft_no_such_total{colour="red"}[5m])'), [
    'redraft_no_such_total',
    'colour',
  ]);
});
