/** What Prometheus scrapes: the rows of the table, and prom-client's own about the process and Node. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { NodeContext } from '../commands/node-context.js';
import { gatherInformation } from '../observability/info.js';
import { type MetricRow, type MetricSource, metricTable, type Sample } from './metric-table.js';
import { unreadiness } from './readiness.js';

/** A metric as the registry reads it. */
interface Reading {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly {
    readonly metricName: string;
    readonly labels: object;
    readonly value: number;
  }[];
}

export class Metrics {
  private readonly registry = new Registry();
  private source: MetricSource | undefined;

  constructor() {
    collectDefaultMetrics({ register: this.registry });
    // With thousands of clients these list thousands of sockets.
    for (const { name } of this.list())
      if (name.startsWith('nodejs_active_')) this.registry.removeSingleMetric(name);
    for (const row of metricTable) {
      const metric = { name: row.name, help: row.help, type: row.type, get: async () => this.read(row) };
      // The registry asks no more of a metric than this.
      this.registry.registerMetric(metric as unknown as Metric);
    }
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Name, type and help of everything that may be scraped. */
  list(): readonly { readonly name: string; readonly type: string; readonly help: string }[] {
    return this.registry.getMetricsAsArray() as unknown as Reading[];
  }

  /** The text of a scrape. Without a node, what is known of the process alone. */
  async text(node: NodeContext | undefined): Promise<string> {
    this.source = node === undefined ? undefined : sourceOf(node);
    return this.registry.metrics();
  }

  private read(row: MetricRow): Reading {
    const { name, help, type } = row;
    const samples = this.source === undefined ? [] : row.read(this.source);
    return { name, help, type, values: samples.map((sample) => readingOf(row, sample)) };
  }
}

function readingOf({ name, labels }: MetricRow, sample: Sample): Reading['values'][number] {
  const named = sample.labels.map((value, i) => [labels[i], value] as const);
  return {
    metricName: `${name}${sample.suffix ?? ''}`,
    labels: Object.fromEntries(named),
    value: sample.value,
  };
}

function sourceOf(node: NodeContext): MetricSource {
  return {
    node,
    info: gatherInformation(node),
    status: node.consensus.isBound ? node.node.status() : undefined,
    isReady: unreadiness(node).length === 0,
  };
}
