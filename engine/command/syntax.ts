/**
 * A command's argument syntax: the notation in which rows of the command table state it, and the tree that
 * COMMAND DOCS replies (https://redis.io/docs/latest/commands/command-docs/).
 *
 * The notation reads like the documentation of Redis:
 *
 *     key value [condition:<NX | XX>@2.6.12] [GET@6.2.0] [expiration:<EX seconds:integer | KEEPTTL@6.0.0>]
 *
 *     name:type       an argument; without `:type` it is a string. Types: string integer double key pattern
 *                     unix-time. The word `key` alone is short for `key:key`.
 *     name:key#1      the second key specification of the command finds it (0 when left out)
 *     NX              a pure token named after itself; `change=CH` names it, `equal="="` quotes it
 *     EX seconds      a token that introduces the argument behind it
 *     name:<a | b>    one of the alternatives; the name may be left out when it is that of the alternatives joined by `_`
 *     name:(a b)      a block of arguments that belong together, named like an alternative
 *     [a]             optional; `[a b]` is an optional block, `[A | B]` an optional alternative
 *     a ...           one or more times; `[GET a]...` repeats the token too
 *     a@6.2.0 a!2.8.0 since when it exists, and is deprecated
 *
 * An alternative of several arguments is a block without being written as one. A pure token in front of an
 * argument which it does not introduce is written with its name (`mkstream=MKSTREAM id`).
 */

/** What an argument is, as COMMAND DOCS names it. */
export type ArgumentType =
  | 'string'
  | 'integer'
  | 'double'
  | 'key'
  | 'pattern'
  | 'unix-time'
  | 'pure-token'
  | 'oneof'
  | 'block';

/**
 * One node of a command's argument tree. Properties that do not hold are absent, so that trees compare by
 * value.
 */
export interface Argument {
  readonly name: string;
  readonly type: ArgumentType;
  /** Which of the command's key specifications finds this argument. */
  readonly keySpecIndex?: number;
  /** The literal word in front of the argument (of a pure token: all there is). May be the empty string. */
  readonly token?: string;
  readonly since?: string;
  readonly deprecatedSince?: string;
  readonly optional?: true;
  readonly multiple?: true;
  /** With `multiple`: the token is repeated with each value. */
  readonly multipleToken?: true;
  /** The members of a block, or the alternatives of a oneof. */
  readonly arguments?: readonly Argument[];
}

type Draft = { -readonly [K in keyof Argument]: Argument[K] };

const simpleTypes: ReadonlySet<string> = new Set([
  'string',
  'integer',
  'double',
  'key',
  'pattern',
  'unix-time',
]);
const lexeme = /\s+|\.\.\.|"[^"]*"|[A-Za-z][A-Za-z0-9_/-]*|[@!]\d+\.\d+\.\d+|#\d+|[:=<>()[\]|]/y;
const plainToken = /^[A-Z][A-Z0-9_/-]*$/;
const plainName = /^[a-z][A-Za-z0-9_/-]*$/;

/**
 * Parses the notation into the argument tree.
 * @throws SyntaxError naming the place, when the text is not in the notation: a mistake in the command table.
 */
export function parseSyntax(text: string): readonly Argument[] {
  return new Parser(text).parse();
}

class Parser {
  private readonly lexemes: string[] = [];
  private position = 0;

  constructor(private readonly text: string) {
    lexeme.lastIndex = 0;
    while (lexeme.lastIndex < text.length) {
      const start = lexeme.lastIndex;
      const match = lexeme.exec(text);
      if (match === null) throw new SyntaxError(`argument syntax: '${text.slice(start)}' in '${text}'`);
      if (match[0].trim() !== '') this.lexemes.push(match[0]);
    }
  }

  parse(): Argument[] {
    const items = this.sequence();
    if (this.position < this.lexemes.length) this.fail();
    return items;
  }

  private fail(): never {
    throw new SyntaxError(`argument syntax: '${this.peek() ?? 'end'}' is out of place in '${this.text}'`);
  }

  private peek(ahead = 0): string | undefined {
    return this.lexemes[this.position + ahead];
  }

  private accept(wanted: string): boolean {
    if (this.peek() !== wanted) return false;
    this.position++;
    return true;
  }

  private expect(wanted: string): void {
    if (!this.accept(wanted)) this.fail();
  }

  private sequence(): Draft[] {
    const items: Draft[] = [];
    for (;;) {
      const next = this.peek();
      if (next === undefined || next === '|' || next === '>' || next === ')' || next === ']') return items;
      items.push(this.item());
    }
  }

  private item(): Draft {
    if (this.accept('[')) {
      const argument = this.alternatives(']');
      argument.optional = true;
      if (this.accept('...')) {
        argument.multiple = true;
        argument.multipleToken = true;
      }
      return argument;
    }
    const argument = this.element();
    if (this.accept('...')) argument.multiple = true;
    return argument;
  }

  /**
   * What stands between brackets or angle brackets, up to and with `close`: one argument, a block of several,
   * or a oneof.
   */
  private alternatives(close: string): Draft {
    const members: Draft[] = [];
    do {
      const items = this.sequence();
      if (items.length === 0) this.fail();
      members.push(items.length === 1 ? items[0] : group('block', undefined, items));
    } while (this.accept('|'));
    this.expect(close);
    return members.length === 1 ? members[0] : group('oneof', undefined, members);
  }

  private element(): Draft {
    const word = this.peek()!;
    let argument: Draft;
    if (plainToken.test(word)) {
      this.position++;
      if (this.startsArgument()) {
        argument = this.primary();
        argument.token = word;
      } else {
        argument = { name: word.toLowerCase(), type: 'pure-token', token: word };
      }
    } else {
      argument = this.primary();
    }
    for (;;) {
      const suffix = this.peek();
      if (suffix?.[0] === '@') argument.since = suffix.slice(1);
      else if (suffix?.[0] === '!') argument.deprecatedSince = suffix.slice(1);
      else return argument;
      this.position++;
    }
  }

  /** Whether what comes next is an argument that the token before it introduces. */
  private startsArgument(): boolean {
    const next = this.peek();
    if (next === undefined) return false;
    if (next === '<' || next === '(') return true;
    return (plainName.test(next) || next[0] === '"') && this.peek(1) !== '=';
  }

  private primary(): Draft {
    let name: string | undefined;
    const word = this.peek()!;
    if (plainName.test(word) || word[0] === '"') {
      this.position++;
      name = unquote(word);
      if (this.accept('=')) {
        const token = this.lexemes[this.position++];
        if (token === undefined || !(plainToken.test(token) || token[0] === '"')) this.fail();
        return { name, type: 'pure-token', token: unquote(token) };
      }
      if (!this.accept(':'))
        return name === 'key' ? { name, type: 'key', keySpecIndex: 0 } : { name, type: 'string' };
      const type = this.peek();
      if (type !== undefined && simpleTypes.has(type)) {
        this.position++;
        const argument: Draft = { name, type: type as ArgumentType };
        if (this.peek()?.[0] === '#') argument.keySpecIndex = Number(this.lexemes[this.position++].slice(1));
        else if (type === 'key') argument.keySpecIndex = 0;
        return argument;
      }
    }
    if (this.accept('(')) {
      const items = this.sequence();
      if (items.length === 0) this.fail();
      this.expect(')');
      return group('block', name, items);
    }
    this.expect('<');
    const argument = this.alternatives('>');
    if (argument.type !== 'oneof' || argument.optional !== undefined) this.fail();
    if (name !== undefined) argument.name = name;
    return argument;
  }
}

function unquote(word: string): string {
  return word[0] === '"' ? word.slice(1, -1) : word;
}

function joinedName(members: readonly Argument[]): string {
  return members.map((member) => member.name).join('_');
}

function group(type: 'block' | 'oneof', name: string | undefined, members: readonly Argument[]): Draft {
  return { name: name ?? joinedName(members), type, arguments: members };
}

/**
 * Writes an argument tree in the notation, shortest form: `parseSyntax(formatSyntax(tree))` equals the tree.
 */
export function formatSyntax(tree: readonly Argument[]): string {
  return tree
    .map((argument, index) =>
      formatItem(argument, tree[index + 1] !== undefined && !tree[index + 1].optional),
    )
    .join(' ');
}

function formatItem(argument: Argument, followed: boolean): string {
  const repeated = argument.multiple && !argument.multipleToken ? ' ...' : '';
  if (!argument.optional) return formatElement(argument, followed) + repeated;
  const inner = bare(argument) ? formatGroup(argument) : formatElement(argument, false) + repeated;
  return `[${inner}]${argument.multipleToken ? '...' : ''}`;
}

/** Whether a block or oneof needs no brackets of its own within those of its surroundings. */
function bare(argument: Argument): boolean {
  return (
    argument.arguments !== undefined &&
    argument.arguments.length > 1 &&
    argument.name === joinedName(argument.arguments) &&
    argument.token === undefined &&
    argument.since === undefined &&
    argument.deprecatedSince === undefined &&
    !argument.multiple
  );
}

function formatGroup(argument: Argument): string {
  const members = argument.arguments!;
  if (argument.type === 'block') return formatSyntax(members);
  return members
    .map((member) =>
      member.type === 'block' && !member.optional && bare(member)
        ? formatGroup(member)
        : formatItem(member, false),
    )
    .join(' | ');
}

function formatElement(argument: Argument, followed: boolean): string {
  const since = argument.since === undefined ? '' : `@${argument.since}`;
  const deprecated = argument.deprecatedSince === undefined ? '' : `!${argument.deprecatedSince}`;
  const name = plainName.test(argument.name) ? argument.name : `"${argument.name}"`;
  let body: string;
  if (argument.type === 'pure-token') {
    const token = argument.token!;
    const spelled = plainToken.test(token) ? token : `"${token}"`;
    const named = followed || spelled !== token || token.toLowerCase() !== argument.name;
    return (named ? `${name}=${spelled}` : token) + since + deprecated;
  }
  if (argument.arguments !== undefined) {
    const prefix = argument.name === joinedName(argument.arguments) ? '' : `${name}:`;
    const inner = formatGroup(argument);
    body = argument.type === 'block' ? `${prefix}(${inner})` : `${prefix}<${inner}>`;
  } else if (argument.name === 'key' && argument.type === 'key' && argument.keySpecIndex === 0) {
    body = name;
  } else {
    const implied = argument.type === 'key' ? 0 : undefined;
    const index = argument.keySpecIndex === implied ? '' : `#${argument.keySpecIndex}`;
    const type = argument.type === 'string' && argument.name !== 'key' ? '' : `:${argument.type}`;
    body = name + type + index;
  }
  return (argument.token === undefined ? '' : `${argument.token} `) + body + since + deprecated;
}

/**
 * Writes an argument tree for people, as the documentation of Redis displays it: `key value [NX | XX] [GET]`.
 */
export function displaySyntax(tree: readonly Argument[]): string {
  return tree.map(displayArgument).join(' ');
}

function displayArgument(argument: Argument): string {
  const members = argument.arguments;
  let body: string;
  if (argument.type === 'pure-token') body = '';
  else if (argument.type === 'block') body = displaySyntax(members!);
  else if (argument.type === 'oneof') body = members!.map(displayArgument).join(' | ');
  else body = argument.name;
  const choice =
    argument.type === 'oneof' && (!argument.optional || argument.token !== undefined || argument.multiple);
  if (choice) body = `<${body}>`;
  const token = argument.token === '' ? '""' : argument.token;
  const once = token === undefined ? body : `${token}${body && ' '}${body}`;
  const again = argument.multipleToken ? once : body;
  const all = argument.multiple ? `${once} [${again} ...]` : once;
  return argument.optional ? `[${all}]` : all;
}
