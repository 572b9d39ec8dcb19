/** Writes docs/CONFIG.md from the table of configuration parameters: `npm run docs:config`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConfigParameter, configParameters, type ParameterEffect } from '../src/config/parameters.js';
import { projectDirectory } from './command-facts.js';

const sections: readonly (readonly [effect: ParameterEffect, text: string])[] = [
  [
    'replicated',
    `## Of the whole cluster

The state of all nodes depends on these. CONFIG SET proposes a change like a write, and snapshots carry it.`,
  ],
  [
    'node',
    `## Of one node

The process that is asked acts by these.`,
  ],
  [
    'none',
    `## Kept for programs that set them

Redraft has no use for these: its log, its memory and its expiry work otherwise. CONFIG SET checks and keeps them, CONFIG GET replies
them.`,
  ],
];

function row({
  name,
  aliases,
  type,
  defaultValue,
  immutable,
  protected: isProtected,
}: ConfigParameter): string {
  const names = [name, ...aliases].map((each) => `\`${each}\``).join(', ');
  const atStart = immutable || isProtected ? 'at start only' : 'CONFIG SET';
  const value = defaultValue === '' ? '' : `\`${defaultValue}\``;
  return `| ${names} | ${value} | ${type.description.replaceAll('|', '\\|')} | ${atStart} |`;
}

/** The page's text. */
export function configPage(): string {
  const parts = sections.map(([effect, text]) => {
    const rows = configParameters.filter((parameter) => parameter.effect === effect).map(row);
    return `${text}\n\n| Parameter | Default | Allowed | Set by |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return [
    `# Configuration parameters

What CONFIG GET and CONFIG SET know: the parameters of Redis 7.0 that mean something here, or that programs are used to set. A second name is
that of older versions.

This page is generated from the table of parameters (\`npm run docs:config\`); do not edit it.
`,
    ...parts,
  ].join('\n');
}

/** Where the page stands. */
export const configPageFile = join(projectDirectory(), 'docs', 'CONFIG.md');

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(dirname(configPageFile), { recursive: true });
  writeFileSync(configPageFile, configPage());
}
