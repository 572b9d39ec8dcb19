/** Puts measured tables into the pages of docs/, between `<!-- bench:NAME -->` and `<!-- /bench -->`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';

export function putIntoPage(page: string, name: string, text: string): void {
  const path = join(import.meta.dirname, '../../docs', page);
  const source = readFileSync(path, 'utf8');
  const begin = `<!-- bench:${name} -->`;
  const end = '<!-- /bench -->';
  const from = source.indexOf(begin);
  const to = source.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`docs/${page} has no ${begin} ... ${end}`);
  writeFileSync(path, `${source.slice(0, from + begin.length)}\n${text}\n${source.slice(to)}`);
}

/** What the figures were taken on; the load tells how much else the machine had to do. */
export function machine(): string {
  const load = loadavg()[0].toFixed(1);
  return `Measured on ${cpus().length} cores (${cpus()[0].model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; load average at the start ${load}.`;
}
