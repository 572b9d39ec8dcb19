/**
 * Random Lua programs, from a seed: expressions, control structures, closures, tables, metatables, varargs,
 * the libraries. They end (loops are bounded), show no addresses, and make errors often, since error texts
 * are compared, too.
 */

/** Mulberry32. */
class Chance {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  chance(p: number): boolean {
    return this.next() < p;
  }
}

const numbers = [
  ...['0', '1', '2', '3', '-1', '10', '0.5', '1.5', '1e3', '255', '0x10', '-0', '1e15', '123456789012345678'],
  ...['0.1', '1/3', '2^53', '1e100', '-7', '100', '1/0', '3.7', '1e-5', '4294967296', '7', '64', '12'],
];
const strings = [
  ...[
    '""',
    '"a"',
    '"abc"',
    '"hello world"',
    '"10"',
    '"0x1F"',
    '" 5 "',
    '"1e2"',
    '"key"',
    '"x,y,z"',
    '"a\\0b"',
  ],
  ...[
    '"\\n"',
    '"%d"',
    '"aXbXc"',
    '"foo=bar; baz=qux"',
    '"(nested (parens))"',
    '"\\255\\128"',
    '"AbC"',
    '"n"',
  ],
];
const patterns = [
  ...[
    '"%a+"',
    '"%d*"',
    '"."',
    '".-"',
    '"(.)(.)"',
    '"^a"',
    '"c$"',
    '"[a-c]+"',
    '"[^%s]+"',
    '"%w+=%w+"',
    '"(%w+)=(%w+)"',
  ],
  ...[
    '"%b()"',
    '"%f[%w]%w+"',
    '"()"',
    '"(a*)"',
    '"%s*"',
    '"x?"',
    '"[%a_][%w_]*"',
    '"%1"',
    '"[]]"',
    '"[^]]"',
    '"[a-]"',
  ],
  ...[
    '"%"',
    '"[a"',
    '"(a"',
    '"%f"',
    '"a)"',
    '"%z"',
    '"l+"',
    '"(h)(.)%2"',
    '"o w"',
    '"%%"',
    '"[%d%.]+"',
    '"^(.-)b"',
    '"%p"',
  ],
];
const replacements = [
  '"x"',
  '"%0%0"',
  '"%1"',
  '"%2%1"',
  '"%%"',
  '{a = "A", b = 1, c = false}',
  'string.upper',
  '12',
];
const formats = [
  ...[
    '"%d"',
    '"%5d"',
    '"%-5d|"',
    '"%05d"',
    '"%x"',
    '"%X"',
    '"%o"',
    '"%c"',
    '"%e"',
    '"%.3f"',
    '"%g"',
    '"%10.4g"',
    '"%q"',
  ],
  ...[
    '"%s"',
    '"%.2s"',
    '"%10s"',
    '"%-10s|"',
    '"%i"',
    '"%u"',
    '"%%"',
    '"%.14g"',
    '"%.20f"',
    '"%+d"',
    '"% d"',
    '"%#x"',
    '"%#g"',
  ],
  ...['"%.0f"', '"%5.1f|%s"', '"%G"', '"%E"', '"%.0e"', '"%3c"', '"%08.3f"', '"%.3d"', '"%y"'],
];
const fields = ['a', 'b', 'c', 'x', 'key', 'n'];
const arithmetic = ['+', '-', '*', '/', '%', '^'];
const comparisons = ['==', '~=', '<', '<=', '>', '>='];

export class ProgramGenerator {
  private readonly random: Chance;
  private names: string[] = [];
  private functions: string[] = [];
  private counter = 0;
  private inVararg = true;
  private loops = 0;

  constructor(seed: number) {
    this.random = new Chance(seed);
  }

  program(): string {
    this.names = [];
    this.functions = [];
    this.counter = 0;
    this.inVararg = true;
    this.loops = 0;
    // Functions may come to call each other: each call takes fuel, so that all programs end.
    const lines: string[] = ['local fuel = 300'];
    const count = 1 + this.random.below(8);
    for (let i = 0; i < count; i++) lines.push(this.statement(2));
    const results = Array.from({ length: 1 + this.random.below(4) }, () => this.guarded(3));
    lines.push(`return ${results.join(', ')}`);
    return lines.join('\n');
  }

  private fresh(prefix: string): string {
    return `${prefix}${this.counter++}`;
  }

  /** An expression whose error is its value, most times: else few programs would get far. */
  private guarded(depth: number): string {
    if (this.random.chance(0.15)) return this.expression(depth);
    const outer = this.inVararg;
    this.inVararg = false;
    const text = `select(2, pcall(function() return ${this.expression(depth)} end))`;
    this.inVararg = outer;
    return this.random.chance(0.7) ? `(${text})` : text;
  }

  private list(depth: number, count: number): string {
    return Array.from({ length: count }, () => this.expression(depth)).join(', ');
  }

  /** Runs `make` with names that are visible only there. */
  private scoped<T>(make: () => T): T {
    const names = this.names.length;
    const functions = this.functions.length;
    const result = make();
    this.names.length = names;
    this.functions.length = functions;
    return result;
  }

  private block(depth: number): string {
    return this.scoped(() => {
      const count = 1 + this.random.below(3);
      return Array.from({ length: count }, () => `  ${this.statement(depth - 1)}`).join('\n');
    });
  }

  private statement(depth: number): string {
    const { random } = this;
    const choice = random.below(depth > 0 ? 17 : 8);
    switch (choice) {
      case 0:
      case 1: {
        const value = this.guarded(3);
        const name = this.fresh('v');
        this.names.push(name);
        return `local ${name} = ${value}`;
      }
      case 2: {
        const value = random.chance(0.7) ? this.table(1) : this.table(2);
        const name = this.fresh('t');
        this.names.push(name);
        return `local ${name} = ${value}`;
      }
      case 3: {
        const values = Array.from({ length: 1 + random.below(3) }, () => this.guarded(2)).join(', ');
        const names = Array.from({ length: 2 + random.below(2) }, () => this.fresh('m'));
        this.names.push(...names);
        return `local ${names.join(', ')} = ${values}`;
      }
      case 4:
      case 5:
        if (this.names.length === 0) return `local ${this.fresh('u')}`;
        return random.chance(0.3)
          ? `pcall(function() ${random.pick(this.names)}, ${this.target()} = ${this.list(2, 1 + random.below(3))} end)`
          : `${this.target()} = ${this.guarded(3)}`;
      case 6:
        return `pcall(function() ${this.target()} = ${this.expression(2)} end)`;
      case 7:
        return `local ${this.named()} = {pcall(function(...) return ${this.list(3, 1 + random.below(2))} end, ${this.list(1, 2)})}`;
      case 8:
        return `if ${this.guarded(3)} then\n${this.block(depth)}\n${random.chance(0.5) ? `else\n${this.block(depth)}\n` : ''}end`;
      case 9:
        return this.numericFor(depth);
      case 10:
        return this.genericFor(depth);
      case 11: {
        // No statement may assign the counter: the loop would not end.
        const name = this.fresh('w');
        return `local ${name} = 0\nwhile ${name} < ${1 + random.below(4)} do ${name} = ${name} + 1\n${this.block(depth)}\nend`;
      }
      case 12: {
        const name = this.fresh('r');
        return `local ${name} = 0\nrepeat ${name} = ${name} + 1\n${this.block(depth)}\nuntil ${name} >= ${1 + random.below(3)} or ${this.guarded(1)}`;
      }
      case 13:
      case 14:
        return this.localFunction(depth);
      case 15:
        return this.object();
      default:
        return `do\n${this.block(depth)}\nend`;
    }
  }

  private named(): string {
    const name = this.fresh('p');
    this.names.push(name);
    return name;
  }

  private target(): string {
    const { random } = this;
    if (this.names.length === 0) return `local_${this.counter++}`;
    const name = random.pick(this.names);
    switch (random.below(4)) {
      case 0:
        return `${name}.${random.pick(fields)}`;
      case 1:
        return `${name}[${this.expression(1)}]`;
      default:
        return name;
    }
  }

  private numericFor(depth: number): string {
    const { random } = this;
    if (this.loops > 2) return 'do end';
    this.loops++;
    const name = this.fresh('i');
    const bounds = random.pick([
      '1, 3',
      '3, 1, -1',
      '0.1, 0.5, 0.1',
      '1, 0',
      '-2, 2, 2',
      '"1", 2',
      '2, 4',
      '1, 3',
      '0, 1',
      '5, 1, -1.5',
      random.chance(0.1) ? '1, "x"' : '4, 5',
    ]);
    const body = this.scoped(() => {
      this.names.push(name);
      return this.block(depth);
    });
    this.loops--;
    return `for ${name} = ${bounds} do\n${body}\n${random.chance(0.2) ? 'break\n' : ''}end`;
  }

  private genericFor(depth: number): string {
    const { random } = this;
    if (this.loops > 2) return 'do end';
    this.loops++;
    const key = this.fresh('k');
    const value = this.fresh('x');
    const source = random.pick([
      () => `pairs(${this.table(2)})`,
      () => `ipairs(${this.table(2)})`,
      () => `pairs(${random.chance(0.1) ? this.expression(1) : this.table(2)})`,
      () => `string.gmatch(${random.pick(strings)}, ${random.pick(patterns)})`,
      () => `next, ${this.table(1)}`,
    ])();
    const body = this.scoped(() => {
      this.names.push(key, value);
      return this.block(depth);
    });
    this.loops--;
    return `for ${key}, ${value} in ${source} do\n${body}\nend`;
  }

  private localFunction(depth: number): string {
    const name = this.fresh('f');
    const text = this.functionBody(depth);
    this.functions.push(name);
    return `local function ${name}${text}`;
  }

  private functionBody(depth: number): string {
    const { random } = this;
    const outer = this.inVararg;
    const body = this.scoped(() => {
      const parameters = Array.from({ length: random.below(4) }, () => this.fresh('a'));
      this.names.push(...parameters);
      this.inVararg = random.chance(0.3);
      const list = [...parameters, ...(this.inVararg ? ['...'] : [])].join(', ');
      const block = random.chance(0.6) ? `${this.block(Math.max(depth - 1, 1))}\n` : '';
      return `(${list})\n  fuel = fuel - 1 if fuel < 0 then error("fuel", 0) end\n${block}  return ${this.guarded(2)}\nend`;
    });
    this.inVararg = outer;
    return body;
  }

  /** A table with metamethods. */
  private object(): string {
    const { random } = this;
    const events = [
      'add',
      'sub',
      'mul',
      'div',
      'mod',
      'pow',
      'unm',
      'concat',
      'eq',
      'lt',
      'le',
      'call',
      'index',
      'newindex',
    ];
    const chosen = Array.from({ length: 1 + random.below(4) }, () => random.pick(events));
    const parts = chosen.map((event) => `__${event} = function${this.functionBody(1)}`);
    if (random.chance(0.3)) parts.push(`__index = ${this.table(1)}`);
    if (random.chance(0.2)) parts.push(`__tostring = function() return "obj" end`);
    const text = this.table(0);
    return `local ${this.named()} = setmetatable(${text}, {${parts.join(', ')}})`;
  }

  private table(depth: number): string {
    const { random } = this;
    const items = Array.from({ length: random.below(6) }, () => {
      switch (random.below(5)) {
        case 0:
          return `${random.pick(fields)} = ${this.expression(depth - 1)}`;
        case 1:
          return `[${random.pick([...numbers.slice(0, 12), '"k"', 'true', '2.5'])}] = ${this.expression(depth - 1)}`;
        default:
          return this.expression(depth - 1);
      }
    });
    return `{${items.join(', ')}}`;
  }

  private expression(depth: number): string {
    const { random } = this;
    if (depth <= 0 || random.chance(0.15)) return this.atom();
    switch (random.below(16)) {
      case 0:
      case 1:
        return `${this.operand(depth)} ${random.pick(arithmetic)} ${this.operand(depth)}`;
      case 2:
        return `${this.operand(depth)} ${random.pick(comparisons)} ${this.operand(depth)}`;
      case 3:
        return `${this.operand(depth)} .. ${this.operand(depth)}`;
      case 4:
        return `(${this.expression(depth - 1)} ${random.pick(['and', 'or'])} ${this.expression(depth - 1)})`;
      case 5:
        return `${random.pick(['not ', '-', '#'])}${this.operand(depth)}`;
      case 6:
        return this.table(depth);
      case 7:
        return this.names.length > 0
          ? `${random.pick(this.names)}${random.pick([`.${random.pick(fields)}`, `[${this.expression(depth - 1)}]`])}`
          : this.atom();
      case 8:
        return this.functions.length > 0
          ? `${random.pick(this.functions)}(${this.list(depth - 1, random.below(4))})`
          : this.atom();
      case 9:
        return `(function${this.functionBody(1)})(${this.list(depth - 1, random.below(3))})`;
      case 10:
        return `tostring(${this.shown(depth - 1)})`;
      case 11:
      case 12:
        return this.stringCall(depth);
      case 13:
        return this.libraryCall(depth);
      case 14:
        return `select(${random.pick(['"#"', '1', '2', '-1'])}, ${this.list(depth - 1, 1 + random.below(3))})`;
      default:
        return `(${this.expression(depth - 1)})`;
    }
  }

  /** What has no address when it is shown. */
  private shown(depth: number): string {
    return this.random.pick([
      () => this.random.pick(numbers),
      () => this.random.pick(strings),
      () => `#${this.table(depth)}`,
    ])();
  }

  private operand(depth: number): string {
    const text = this.expression(depth - 1);
    return /^[\w".]+$/.test(text) ? text : `(${text})`;
  }

  private subject(depth: number): string {
    return this.random.chance(0.8) ? this.random.pick(strings) : this.expression(depth - 1);
  }

  private stringCall(depth: number): string {
    const { random } = this;
    const pattern = random.pick(patterns);
    switch (random.below(12)) {
      case 0:
        return `string.find(${this.subject(depth)}, ${pattern}${random.pick(['', ', 2', ', -1', ', 1, true', ', 10'])})`;
      case 1:
        return `string.match(${this.subject(depth)}, ${pattern})`;
      case 2:
      case 3:
        return `string.gsub(${this.subject(depth)}, ${pattern}, ${random.pick(replacements)}${random.pick(['', '', ', 1', ', 0'])})`;
      case 4:
      case 5:
        return `string.format(${random.pick(formats)}, ${random.pick([() => random.pick(numbers), () => random.pick(strings), () => this.expression(depth - 1)])()})`;
      case 6:
        return `string.sub(${this.subject(depth)}, ${random.pick(['1', '2', '-2', '0', '-100', '"2"', '1.5'])}${random.pick(['', ', -1', ', 2', ', -3', ', 100'])})`;
      case 7:
        return `string.rep(${this.subject(depth)}, ${random.pick(['0', '1', '3', '-1', '2.5'])})`;
      case 8:
        return `string.byte(${this.subject(depth)}${random.pick(['', ', 2', ', 1, -1', ', -1', ', 3, 2'])})`;
      case 9:
        return `string.${random.pick(['upper', 'lower', 'reverse', 'len'])}(${this.subject(depth)})`;
      case 10:
        return `string.char(${random.pick(['65', '97, 98', '0', '', '256', '"66"'])})`;
      default:
        return `(${random.pick(strings)}):${random.pick(['upper()', 'len()', 'rep(2)', 'sub(2)', 'byte()', 'nope()', 'find("a")'])}`;
    }
  }

  private libraryCall(depth: number): string {
    const { random } = this;
    const number = random.pick(numbers);
    switch (random.below(14)) {
      case 0:
        return `math.${random.pick(['floor', 'ceil', 'abs', 'sqrt'])}(${this.operand(depth)})`;
      case 1:
        return `math.${random.pick(['max', 'min'])}(${this.list(depth - 1, 1 + random.below(3))})`;
      case 2:
        return `math.${random.pick(['fmod', 'pow', 'ldexp'])}(${number}, ${random.pick(numbers)})`;
      case 3:
        return `math.${random.pick(['modf', 'frexp', 'deg', 'rad'])}(${number})`;
      case 4:
        return `tonumber(${random.pick([random.pick(strings), number, this.expression(depth - 1)])}${random.pick(['', '', ', 16', ', 2', ', 36'])})`;
      case 5:
        return `table.concat(${this.table(1)}${random.pick(['', ', ","', ', ", ", 2', ', "", 1, 2'])})`;
      case 6:
        return `unpack(${this.table(1)}${random.pick(['', ', 2', ', 1, 3', ', -1, 1'])})`;
      case 7:
        return `(function() local t = ${this.table(1)} ${random.pick(['table.insert(t, 1)', 'table.insert(t, 1, "z")', 'table.remove(t)', 'table.remove(t, 1)', 'table.sort(t)', 'table.insert(t, 10, 2)', 'table.sort(t, function(a, b) return type(a) .. tostring(tonumber(a)) > type(b) .. tostring(tonumber(b)) end)'])} return t end)()`;
      case 8:
        return `next(${this.table(1)})`;
      case 9:
        return `type(${this.expression(depth - 1)})`;
      case 10:
        return `rawget(${this.table(1)}, ${this.expression(0)})`;
      case 11:
        return `bit.${random.pick(['band', 'bor', 'bxor', 'lshift', 'rshift', 'arshift', 'rol', 'ror'])}(${number}, ${random.pick(numbers)})`;
      case 12:
        return `bit.${random.pick(['tobit', 'bnot', 'tohex', 'bswap'])}(${number})`;
      default:
        return random.pick([
          `table.maxn(${this.table(1)})`,
          `getmetatable(${this.expression(depth - 1)})`,
          `rawequal(${this.list(depth - 1, 2)})`,
          `assert(${this.expression(depth - 1)})`,
          `error(${random.pick([random.pick(strings), this.table(1)])})`,
        ]);
    }
  }

  private atom(): string {
    const { random } = this;
    switch (random.below(9)) {
      case 0:
      case 1:
      case 2:
        return this.names.length > 0 ? random.pick(this.names) : random.pick(numbers);
      case 3:
      case 4:
        return random.pick(numbers);
      case 5:
      case 6:
        return random.pick(strings);
      case 7:
        return this.inVararg && random.chance(0.3) ? '...' : random.pick(['nil', 'true', 'false']);
      default:
        return random.pick(['{}', 'nil', random.chance(0.2) ? 'undefined_name' : 'true', '_VERSION']);
    }
  }
}
