/** The configuration that a node in this process starts with. */
import type { Settings } from '../../engine/index.js';
import { defaultElectionTimeoutMs } from '../../raft/node/index.js';
import { Configuration, configParameter } from '../config/configuration.js';
import { textOf } from '../config/replicated-settings.js';
import type { RedraftOptions } from './options.js';
import { tlsParametersOf } from './tls-options.js';

/** @throws RangeError for a value that is not allowed */
export function configurationOf(options: RedraftOptions): Configuration {
  return new Configuration({
    // Passwords are bytes: those of the text in UTF-8.
    requirepass: Buffer.from(options.password ?? '').toString('latin1'),
    maxclients: `${options.maxClients ?? 10_000}`,
    durability: options.durability ?? 'high',
    'election-timeout': `${options.electionTimeoutMs ?? defaultElectionTimeoutMs}`,
    ...Object.fromEntries(tlsParametersOf(options.tls)),
    ...options.configuration,
    ...settingTexts(options.settings),
  });
}

/** Settings as the configuration takes them. */
function settingTexts(settings: Partial<Settings> = {}): Record<string, string> {
  const parameters = Object.entries(settings).filter(([name]) => configParameter(name) !== undefined);
  return Object.fromEntries(parameters.map(([name, value]) => [name, textOf(name, value)]));
}
