/**
 * What the compilers of expressions and statements share while they write one function: temporaries, names,
 * counters.
 */
import type { Expression, FunctionBody, Variable } from '../ast.js';
import { numberLiteral } from './literals.js';
import { describe, type SiteList } from './site-list.js';

/** Frames of at most so many variables and temporaries are reckoned with in the limit of depth. */
export const narrowFrame = 24;

export class FunctionWriter {
  private used = 0;
  /** Most temporaries in use at a time. */
  temporaryCount = 0;
  /** Whether code was written that needs to know who is running: calls. */
  hasCalls = false;
  private zero: number | undefined;

  constructor(
    readonly body: FunctionBody,
    readonly sites: SiteList,
    /** Whether functions are generators, which coroutines can leave at any call. */
    readonly isGenerator: boolean,
  ) {}

  /** A temporary variable, until {@link release}. */
  temporary(): string {
    const name = `t${this.used++}`;
    if (this.used > this.temporaryCount) this.temporaryCount = this.used;
    return name;
  }

  release(count = 1): void {
    this.used -= count;
  }

  /** JavaScript's name of a variable. */
  name(variable: Variable): string {
    return `v${variable.index}`;
  }

  site(line: number, ...operands: Expression[]): number {
    return this.sites.add(line, ...operands.map((operand) => describe(operand, this.body)));
  }

  /** Where the depth of the running function stands. */
  get depth(): string {
    return this.isGenerator ? 'C.d' : 'd';
  }

  /** Notes where the function is, for errors of what it calls. */
  noteSite(site: number): string {
    this.hasCalls = true;
    return `L[${this.depth}]=${site}`;
  }

  /** In 5.1 a function has one constant zero: of the sign that came first. */
  number(value: number): string {
    if (value === 0) {
      this.zero ??= value;
      value = this.zero;
    }
    return numberLiteral(value);
  }
}
