/**
 * Draws commands of the table by their syntax, with arguments near the limits: giants, numbers at the edges,
 * patterns, long lists.
 */
import { type Argument, parseSyntax } from '../../engine/command/syntax.js';
import { engineCommands } from '../../engine/commands/index.js';
import type { Random } from '../sim/random.js';

export type Arg = string | Buffer;

/** All commands of the engine, those of containers one by one. */
export const commandRows = engineCommands
  .flatMap((row) => (row.kind === 'container' ? row.subcommands : [row]))
  .filter(({ kind }) => kind === 'read' || kind === 'write');

const integers = [
  ...['0', '1', '-1', '2', '7', '10', '64', '4294967295', '4294967296', '4294967297', '-4294967296'],
  ...['2147483647', '2147483648', '-2147483648', '-2147483649', '9007199254740991', '9007199254740993'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
  ...['4611686018427387904', '-4611686018427387904', '18446744073709551615', '536870911', '536870888'],
  ...[
    '4294967231',
    '-1048576',
    '-1048577',
    '16777216',
    '-16777216',
    '1000000',
    '#4294967295',
    '9'.repeat(400),
  ],
];
const doubles = ['0', '-0', '1.5', 'inf', '-inf', 'nan', '1e308', '-1e308', '5e-324', '1e-400', '0x10', '(1'];
const places = ['13.361389', '85.05112878', '-180', '180', '0', '20037508', '1e9'];
const texts = [
  '',
  'a',
  'm1',
  '1',
  '-',
  '+',
  '*',
  '$',
  '>',
  '[a',
  '(a',
  '0-1',
  '18446744073709551615-18446744073709551615',
  'u8',
  'i64',
  'u63',
];
const patterns = ['*', 'k*', '[', '[^', '\\', '*a*a*a*b', 'w_*->f', '#', 'nosort', `${'a*'.repeat(200)}b`];
const keys = [
  's',
  'n',
  'big',
  'l',
  'bl',
  'h',
  'bh',
  'set',
  'ints',
  'z',
  'bz',
  'x',
  'g',
  'hll',
  'none',
  'out',
];

export interface Sizes {
  /** Of the longest arguments. */
  readonly giantBytes: number;
  /** Of patterns that are long. */
  readonly patternBytes: number;
  /** Of lists of arguments that are long. */
  readonly manyArguments: number;
}

export class CommandWriter {
  /** In latin1 a text of sharp s: in upper case it is twice as long. */
  readonly giant: Buffer;
  readonly medium = Buffer.alloc(100_000, 0x61);
  private readonly starred: Buffer;
  private readonly manyArguments: number;

  constructor(
    private readonly random: Random,
    { giantBytes, patternBytes, manyArguments }: Sizes,
  ) {
    this.manyArguments = manyArguments;
    this.giant = Buffer.alloc(giantBytes, 0xdf);
    this.starred = Buffer.concat([Buffer.alloc(patternBytes, 0x70), Buffer.from('*')]);
  }

  draw({ name, syntax }: (typeof commandRows)[number]): Arg[] {
    const args: Arg[] = name.split('|').map((word) => word.toUpperCase());
    for (const argument of parseSyntax(syntax ?? '')) this.fill(argument, args);
    return args;
  }

  private rare(): Arg {
    if (this.random.chance(0.1))
      return this.giant.subarray(0, Math.ceil(this.giant.length * this.random.next()));
    return this.random.chance(0.2) ? this.starred : this.medium;
  }

  private value({ type, name }: Argument): Arg {
    if (this.random.chance(0.02)) return this.rare();
    if (this.random.chance(0.04)) return this.random.pick(texts);
    switch (type) {
      case 'key':
        return this.random.pick(keys);
      case 'integer':
      case 'unix-time':
        return this.random.pick(integers);
      case 'double':
        return this.random.pick(/long|lat|radius|width|height/.test(name) ? places : doubles);
      case 'pattern':
        return this.random.chance(0.1) ? this.starred : this.random.pick(patterns);
      default:
        return this.random.chance(0.3) ? this.random.pick(integers) : this.random.pick(texts);
    }
  }

  private fill(argument: Argument, into: Arg[]): void {
    if (argument.optional === true && this.random.chance(0.6)) return;
    const isMany =
      argument.multiple === true && argument.arguments === undefined && this.random.chance(0.004);
    const times = isMany ? this.manyArguments : argument.multiple === true ? 1 + this.random.below(3) : 1;
    for (let i = 0; i < times; i++) {
      if (isMany) {
        into.push(`${i % 1000}`);
        continue;
      }
      if (argument.token !== undefined && (i === 0 || argument.multipleToken === true)) {
        into.push(this.random.chance(0.001) ? this.giant : argument.token);
      }
      const members = argument.arguments ?? [];
      if (argument.type === 'oneof') this.fill(this.random.pick(members), into);
      else if (argument.type === 'block') for (const member of members) this.fill(member, into);
      else if (argument.type !== 'pure-token') {
        // What counts the keys behind it is mostly right.
        into.push(
          argument.name === 'numkeys' && this.random.chance(0.8)
            ? `${1 + this.random.below(3)}`
            : this.value(argument),
        );
      }
    }
  }
}
