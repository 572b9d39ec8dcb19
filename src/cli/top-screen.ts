/** A sample of `redraft top` as text, coloured where the terminal has colours. */
import type { Sample } from './top-sample.js';

export interface ScreenOptions {
  readonly inColour: boolean;
  readonly width: number;
  /** Lines that there is room for. */
  readonly height: number;
  /** Commands a second of the last samples, the newest last. */
  readonly history: readonly number[];
}

const BARS = '▁▂▃▄▅▆▇█';
const GRAPH_WIDTH = 40;

/** Lines without their ends, each no wider than the screen, and no more of them than it has. */
export function formatSample(sample: Sample, { inColour, width, height, history }: ScreenOptions): string[] {
  const paint = (code: number, text: string): string => (inColour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const bold = (text: string): string => paint(1, text);
  const dim = (text: string): string => paint(2, text);
  const role =
    sample.role === 'leader'
      ? paint(32, 'leader')
      : `${sample.role}, ${sample.leader === '' ? paint(31, 'no leader') : `leader ${sample.leader}`}`;
  const facts = (...pairs: (readonly [name: string, value: string])[]): string =>
    pairs.map(([name, value]) => `${dim(name)} ${bold(value)}`).join('   ');
  const memoryRatio = sample.maxMemory === 0 ? 0 : sample.usedMemory / sample.maxMemory;
  const used = `${bytes(sample.usedMemory)} of ${bytes(sample.maxMemory)}`;
  const lines = [
    `${bold(`redraft ${sample.version}`)} ${clean(sample.address)}: ${role}, term ${sample.term}, ${sample.members} ${sample.members === 1 ? 'member' : 'members'}, up ${span(sample.uptimeSeconds)}`,
    '',
    `${facts(['ops/s', count(sample.callsPerSecond)], ['errors/s', count(sample.errorsPerSecond)])}   ${paint(36, graph(history))}`,
    facts(
      ['round trip', milliseconds(sample.roundTripMs)],
      ['commit', milliseconds(sample.commitMs)],
      ['sync', milliseconds(sample.syncMs)],
      ['in', `${bytes(sample.inputBytesPerSecond)}/s`],
      ['out', `${bytes(sample.outputBytesPerSecond)}/s`],
    ),
    facts(
      ['keys', count(sample.keys)],
      ['with ttl', count(sample.keysExpiring)],
      ['expired/s', count(sample.expiredPerSecond)],
      ['evicted/s', count(sample.evictedPerSecond)],
      ['hits', sample.hitRatio === null ? '-' : `${(sample.hitRatio * 100).toFixed(1)} %`],
    ),
    `${facts(['clients', count(sample.clients)], ['blocked', count(sample.blockedClients)])}   ${dim('memory')} ${paint(memoryRatio > 0.9 ? 31 : 1, used)}`,
    '',
    ...tableOf(
      ['command', 'calls/s', 'average', 'p99'],
      sample.commands.map(({ name, callsPerSecond, averageUs, p99Us }) => [
        name,
        count(callsPerSecond),
        milliseconds(averageUs / 1000),
        p99Us === null ? '-' : milliseconds(p99Us / 1000),
      ]),
      bold,
    ),
    '',
    ...tableOf(
      ['client', 'memory', 'last command', 'name'],
      sample.largestClients.map((client) => [
        client.address,
        bytes(client.bytes),
        client.command,
        client.name,
      ]),
      bold,
    ),
  ];
  return lines.slice(0, height).map((line) => cut(line, width));
}

function tableOf(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  bold: (text: string) => string,
): string[] {
  const cells = rows.map((row) => row.map(clean));
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 || i > 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  return [bold(line(head)), ...cells.map((row) => line(row).trimEnd())];
}

/** What clients name themselves must not steer the terminal. */
export const clean = (text: string): string => text.replaceAll(/[\0-\x1f\x7f-\x9f]/g, '?');

/** Cuts to a width, in which escape sequences take no room. */
function cut(line: string, width: number): string {
  let shown = 0;
  let text = '';
  for (const [part] of line.matchAll(/\x1b\[\d+m|./gu)) {
    if (part.startsWith('\x1b')) text += part;
    else if (shown < width) {
      text += part;
      shown++;
    }
  }
  return text;
}

function graph(history: readonly number[]): string {
  const shown = history.slice(-GRAPH_WIDTH);
  const top = Math.max(1, ...shown);
  return shown.map((value) => BARS[Math.round((value / top) * (BARS.length - 1))]).join('');
}

function count(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)}M`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(1)}k` : `${Math.round(value)}`;
}

function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let rest = value;
  while (rest >= 1024 && at < units.length - 1) {
    rest /= 1024;
    at++;
  }
  return `${at === 0 ? Math.round(rest) : rest.toFixed(1)} ${units[at]}`;
}

function milliseconds(value: number): string {
  if (value < 1) return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} us`;
  return value < 1000 ? `${value.toFixed(value < 10 ? 2 : 1)} ms` : `${(value / 1000).toFixed(2)} s`;
}

function span(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
