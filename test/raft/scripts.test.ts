/**
 * Runs the scripts in test/raft/scripts: each step's output must be what stands below its `----`.
 *
 * `npm run raft:scripts -- --rewrite [name]` writes down what the core does now; read the diff before you
 * believe it.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Interaction } from './interaction.js';

const folder = fileURLToPath(new URL('../../../test/raft/scripts/', import.meta.url));
const rewrite = process.argv.includes('--rewrite');
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));

interface Step {
  /** Number of the first command's line. */
  line: number;
  /** Comments and blank lines ahead of the commands, as they stand. */
  preamble: string[];
  commands: string[];
  expected: string;
}

/** A script is a list of steps: comments, commands, `----`, output up to a blank line. */
function parse(text: string): { steps: Step[]; rest: string[] } {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const steps: Step[] = [];
  let preamble: string[] = [];
  let commands: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (line === '----') {
      assert(commands.length > 0, `line ${i + 1}: output without a command`);
      const expected: string[] = [];
      const start = i + 1 - commands.length;
      while (i + 1 < lines.length && lines[i + 1] !== '') expected.push(lines[++i]!);
      steps.push({ line: start, preamble, commands, expected: expected.join('\n') });
      preamble = [];
      commands = [];
    } else if (line === '' || line.startsWith('#')) {
      assert(commands.length === 0, `line ${i + 1}: commands without ----`);
      preamble.push(line);
    } else {
      commands.push(line);
    }
  }
  assert(commands.length === 0, 'commands without ---- at the end');
  return { steps, rest: preamble };
}

const names = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort();

test('there are scripts', () => {
  assert(names.length > 0);
});

for (const name of names) {
  test(`raft script ${name}`, () => {
    const path = join(folder, name);
    const { steps, rest } = parse(readFileSync(path, 'utf8'));
    const interaction = new Interaction();
    const written: string[] = [];
    for (const step of steps) {
      const output = interaction.run(step.commands);
      assert.doesNotMatch(output, /^error:/m, `${name}:${step.line}: ${step.commands.join('; ')}`);
      if (rewrite) written.push(...step.preamble, ...step.commands, '----', output);
      else assert.equal(output, step.expected, `${name}:${step.line}: ${step.commands.join('; ')}`);
    }
    if (rewrite) writeFileSync(path, `${[...written, ...rest].join('\n')}\n`);
  });
}
