/**
 * The tables of docs/CLIENTS.md, from what `npm run clients:failover -- --json FILE` measured:
 * `npm run docs:clients`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bareKinds, installedKinds, ownKinds } from './failover-clients.js';
import { clusterEvents } from './failover-events.js';
import { programKinds } from './failover-programs.js';

/** One client and one kind of event: an entry for each time that it happened. */
export interface Cell {
  readonly client: string;
  readonly event: string;
  readonly gapsMs: readonly number[];
  readonly readGapsMs: readonly number[];
  /** What the client's user saw, and how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** How often it did not come back even to the whole cluster. */
  readonly lost: number;
}

export interface Measurements {
  readonly node: string;
  readonly cores: number;
  /** Processes in line for the cores, over a minute: the fewest and the most while it ran. */
  readonly loads: readonly [number, number];
  readonly seed: number;
  readonly cells: readonly Cell[];
}

const root = join(import.meta.dirname, '../../..');
export const measurementsFile = join(root, 'test/clients/failover.json');
export const clientsPageFile = join(root, 'docs/CLIENTS.md');

/** A gap as long as that ended when the cluster was healed. */
const HEALED_MS = 7500;

export const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)];

export const readMeasurements = (): Measurements =>
  JSON.parse(readFileSync(measurementsFile, 'utf8')) as Measurements;

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return '';
  if (cell.lost > 0) return `lost ${cell.lost} of ${cell.gapsMs.length}`;
  const gapMs = median(cell.gapsMs);
  const gap = gapMs >= HEALED_MS ? 'until healed' : `${(gapMs / 1000).toFixed(gapMs < 1000 ? 2 : 1)} s`;
  const errors = Object.values(cell.errors).reduce((sum, count) => sum + count, 0);
  return errors === 0 ? gap : `${gap}, ${errors} e`;
}

const cellOf = (cells: readonly Cell[], client: string, event: string): Cell | undefined =>
  cells.find((cell) => cell.client === client && cell.event === event);

const happened = (cells: readonly Cell[], name: string): number =>
  cells.filter(({ client }) => client === name).reduce((sum, { gapsMs }) => sum + gapsMs.length, 0);

/** Every client, every kind of event. */
export function failoverTable({ cells }: Pick<Measurements, 'cells'>): string {
  const events = clusterEvents.map(({ name }) => name);
  const rows = [...ownKinds, ...installedKinds, ...programKinds]
    .filter(({ name }) => cells.some(({ client }) => client === name))
    .map(({ name, language, follower }) => [
      name,
      language,
      follower,
      `${happened(cells, name)}`,
      ...events.map((event) => textOf(cellOf(cells, name, event))),
    ]);
  return tableOf(['client', 'language', '`--follower`', 'events', ...events], rows);
}

/** What options are worth, where the leader dies or freezes. */
export function optionsTable({ cells }: Pick<Measurements, 'cells'>): string {
  const events = clusterEvents.filter(({ isGraceful }) => !isGraceful).map(({ name }) => name);
  const kinds = [...ownKinds, ...installedKinds];
  const rows = bareKinds.flatMap((bare, i) => {
    if (!cells.some(({ client }) => client === bare.name)) return [];
    const { name } = kinds[i];
    return [
      [
        name,
        ...events.flatMap((event) => [
          textOf(cellOf(cells, bare.name, event)),
          textOf(cellOf(cells, name, event)),
        ]),
      ],
    ];
  });
  return tableOf(
    ['client', ...events.flatMap((event) => [`${event}, no options`, `${event}, as below`])],
    rows,
  );
}

const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function aboutOf({ node, cores, loads, seed }: Measurements): string {
  const [from, to] = loads.map((load) => load.toFixed(1));
  return [
    `No acknowledged write was lost, no read was stale. Seed ${seed}, Node ${node}, ${cores} cores,`,
    `${from} to ${to} processes in line for them.`,
  ].join(' ');
}

/** The page with its tables as they ought to be. @throws Error when a place for one is missing */
export function clientsPage(page: string, measurements: Measurements): string {
  const parts: Readonly<Record<string, string>> = {
    run: aboutOf(measurements),
    failover: failoverTable(measurements),
    options: optionsTable(measurements),
  };
  let text = page;
  for (const [name, part] of Object.entries(parts)) {
    const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
    if (!place.test(text)) throw new Error(`docs/CLIENTS.md has no place for ${name}`);
    text = text.replace(place, (_, begin: string, end: string) => `${begin}${part}\n${end}`);
  }
  return text;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(clientsPageFile, clientsPage(readFileSync(clientsPageFile, 'utf8'), readMeasurements()));
