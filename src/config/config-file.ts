/** CONFIG REWRITE: brings a config file up to date. */
import fs from 'node:fs';
import { configParameter } from './configuration.js';

/**
 * The text of a config file in which parameters have the given values. Lines of parameters are replaced where
 * they stand, new ones come at the end, everything else (comments, options that are no parameters) stays.
 *
 * @param value the value in force
 * @param changed parameters that were changed since the start
 * @param users lines that take the place of all lines about users; undefined: those stay
 */
export function rewriteConfig(
  text: string,
  value: (name: string) => string,
  changed: readonly string[],
  users?: readonly string[],
): string {
  const missing = new Set(changed);
  let unwritten = users ?? [];
  const lines = text.split(/\r?\n/).flatMap((line) => {
    const word = /^\s*([a-z][\w-]*)\s/i.exec(line)?.[1].toLowerCase();
    if (word === 'user' && users !== undefined) {
      const written = unwritten;
      unwritten = [];
      return written;
    }
    const parameter = word === undefined ? undefined : configParameter(word);
    if (parameter === undefined || !changed.includes(parameter.name)) return [line];
    missing.delete(parameter.name);
    return [`${parameter.name} ${quoted(value(parameter.name))}`];
  });
  while (lines.at(-1) === '') lines.pop();
  for (const name of missing) lines.push(`${name} ${quoted(value(name))}`);
  lines.push(...unwritten);
  return `${lines.join('\n')}\n`;
}

/** In quotes where the reader of the file would otherwise see something else. */
function quoted(value: string): string {
  if (/^[\w.,:/@%+-]+( [\w.,:/@%+-]+)*$/.test(value)) return value;
  const escaped = value.replace(/[\\"]/g, '\\$&').replace(/[\0-\x1f\x7f]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/** Replaces a file in one step: whoever reads it sees the old text or the new one. */
export async function rewriteConfigFile(
  path: string,
  value: (name: string) => string,
  changed: readonly string[],
  users?: readonly string[],
): Promise<void> {
  const text = rewriteConfig(await fs.promises.readFile(path, 'utf8'), value, changed, users);
  // What is there gives way, be it a link that would lead the bytes elsewhere.
  await fs.promises.rm(`${path}.new`, { force: true });
  const file = await fs.promises.open(`${path}.new`, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.promises.rename(`${path}.new`, path);
}
