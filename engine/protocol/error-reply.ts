/**
 * An error line without its leading `-`: the code, a space, the message. Handlers may throw it before their
 * first mutation; it is no Error, so that throwing it costs no stack.
 */
export class ErrorReply {
  /** @param isCounted it repeats the error of a command that a script has called, which was counted there */
  constructor(
    readonly text: string,
    readonly isCounted = false,
  ) {}

  /** The first word: ERR, WRONGTYPE, ... */
  get code(): string {
    return this.text.split(' ', 1)[0];
  }
}
