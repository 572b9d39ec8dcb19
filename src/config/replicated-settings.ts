/**
 * Configuration parameters that are state of the cluster: their values are the engine's settings, which are
 * numbers.
 */
import { durabilityLevels, isSetting, keyEventLetters, type Settings } from '../../engine/index.js';
import { encodeRequest } from '../resp/encode-request.js';
import type { Configuration } from './configuration.js';
import { keyspaceEvents } from './parameter-types.js';
import { configParameters } from './parameters.js';

/** The parameters that follow the engine's settings, by name. */
const names = configParameters
  .filter(({ effect }) => effect === 'replicated')
  .map(({ name }) => name)
  .filter(isSetting);

type Durability = (typeof durabilityLevels)[number];

/** A bit for each letter; `A` stands for all classes that it names to Redis. */
function eventBits(letters: string): number {
  let bits = 0;
  for (const letter of letters.replace('A', 'g$lshzxetd')) bits |= 1 << keyEventLetters.indexOf(letter);
  return bits;
}

function eventText(bits: number): string {
  const letters = [...keyEventLetters].filter((_letter, i) => (bits >> i) & 1).join('');
  return keyspaceEvents.parse(letters, '') as string;
}

/** A parameter's value as a setting. */
export function settingOf(name: string, value: string): string {
  if (name === 'durability') return `${durabilityLevels.indexOf(value as Durability)}`;
  if (name === 'cluster-enabled') return value === 'yes' ? '1' : '0';
  return name === 'notify-keyspace-events' ? `${eventBits(value)}` : value;
}

/** What CONFIG GET answers for a setting. */
export function textOf(name: string, setting: number): string {
  if (name === 'durability') return durabilityLevels[setting];
  if (name === 'cluster-enabled') return setting === 1 ? 'yes' : 'no';
  return name === 'notify-keyspace-events' ? eventText(setting) : `${setting}`;
}

/** The values of parameters, as an entry carries them. */
export function encodeSettings(values: Iterable<readonly [name: string, value: string]>): Buffer {
  return encodeRequest([...values].flatMap(([name, value]) => [name, settingOf(name, value)]));
}

/**
 * The parameters whose values in `configuration` are others than the engine's: name, given value, value in
 * force.
 */
export function differences(
  configuration: Configuration,
  settings: Settings,
): (readonly [name: string, given: string, inForce: string])[] {
  return names
    .map((name) => [name, configuration.text(name), textOf(name, settings[name])] as const)
    .filter(([, given, inForce]) => given !== inForce);
}
