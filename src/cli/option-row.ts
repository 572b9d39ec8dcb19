/**
 * One option of the command line: a row of a table, from which parsing, environment names, the config file,
 * error texts and --help follow.
 */
import type { OptionType } from './option-types.js';

export interface OptionRow<T = unknown> {
  readonly group: string;
  /** One letter, for the short form. */
  readonly short?: string;
  /** What stands for the value in --help; empty for a switch, which takes none. */
  readonly argument: string;
  readonly type: OptionType<T>;
  /** Read as if given, unless it is undefined: then the option is, too. */
  readonly default: string | undefined;
  /** Shown in --help in place of `default`. */
  readonly shownDefault?: string;
  readonly example: string;
  readonly help: string;
}

/** A row without a default has undefined among its values. */
export function option<T>(row: OptionRow<T> & { readonly default: string }): OptionRow<T>;
export function option<T>(row: OptionRow<T> & { readonly default: undefined }): OptionRow<T | undefined>;
export function option<T>(row: OptionRow<T>): OptionRow<T | undefined> {
  return row;
}
