/** The version of Redis whose behaviour Redraft has, and its own. */
import { readFileSync } from 'node:fs';

/** What clients are told as the server's version: they choose features by it. */
export const serverVersion = '7.0.15';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Redraft's own version, from package.json. */
export const redraftVersion = version;
