/** Finds a command's row by the bytes of its name, in any case, without making a string. */

import { errors } from '../protocol/errors.js';
import type { ErrorReply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Command, Container } from './command.js';

/** Places for each name at least, so that few collide. */
const PLACES_PER_NAME = 4;

function foldedHash(buffer: Buffer, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (buffer[i] | 0x20), 0x01000193);
  return hash ^ (hash >>> 15);
}

function sameName(name: Buffer, buffer: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) {
    let byte = buffer[start + i];
    if (byte >= 0x41 && byte <= 0x5a) byte |= 0x20;
    if (byte !== name[i]) return false;
  }
  return true;
}

class NameIndex<Row extends Command> {
  private readonly rows: (Row | undefined)[];
  private readonly names: (Buffer | undefined)[];
  private readonly mask: number;

  /** @param count how many names it will have */
  constructor(count: number) {
    let size = 1;
    while (size < count * PLACES_PER_NAME) size *= 2;
    this.rows = new Array(size).fill(undefined);
    this.names = new Array(size).fill(undefined);
    this.mask = size - 1;
  }

  add(name: string, row: Row): void {
    const bytes = Buffer.from(name, 'latin1');
    let i = foldedHash(bytes, 0, bytes.length) & this.mask;
    while (this.names[i] !== undefined) i = (i + 1) & this.mask;
    this.names[i] = bytes;
    this.rows[i] = row;
  }

  find(buffer: Buffer, start: number, end: number): Row | undefined {
    const { mask } = this;
    let i = foldedHash(buffer, start, end) & mask;
    for (let name = this.names[i]; name !== undefined; name = this.names[i]) {
      if (sameName(name, buffer, start, end)) return this.rows[i];
      i = (i + 1) & mask;
    }
    return undefined;
  }
}

/** A row that can run: anything but a container. */
export type Runnable = Exclude<Command, Container>;

export class CommandTable {
  readonly commands: readonly Command[];
  /**
   * By name in lower and in upper case, as callers inside the process write it: half the time of {@link
   * NameIndex.find}.
   */
  readonly byText = new Map<string, Command>();
  private readonly index: NameIndex<Command>;
  private readonly subcommands = new Map<Container, NameIndex<Command>>();

  constructor(commands: readonly Command[]) {
    this.commands = [...commands];
    this.index = new NameIndex(commands.length);
    for (const command of commands) {
      this.index.add(command.name, command);
      this.byText.set(command.name, command).set(command.name.toUpperCase(), command);
      if (command.kind !== 'container') continue;
      const index = new NameIndex<Command>(command.subcommands.length);
      for (const subcommand of command.subcommands) index.add(subcommand.name.split('|')[1], subcommand);
      this.subcommands.set(command, index);
    }
  }

  /**
   * The row that a request asks for, its arity checked, or the error that Redis answers.
   *
   * @param known the row of argument 0, where {@link byText} has told it
   */
  resolve(request: Request, known?: Command): Runnable | ErrorReply {
    const offsets = request.offsets;
    let row = known ?? this.index.find(request.buffer, offsets[0], offsets[1]);
    if (row === undefined) return this.unknown(request);
    if (row.kind === 'container') {
      if (request.count === 1) return row.alone ?? errors.wrongArity(row.name);
      const subcommand = this.subcommands.get(row)!.find(request.buffer, offsets[2], offsets[3]);
      if (subcommand === undefined)
        return errors.unknownSubcommand(request.latin1(1), row.name.toUpperCase());
      row = subcommand;
    }
    if (row.arity < 0 ? request.count < -row.arity : request.count !== row.arity)
      return errors.wrongArity(row.name);
    const runnable = row as Runnable;
    return runnable.isRead?.(request) === true ? runnable.readRow! : runnable;
  }

  /** The row that a request names, whatever its arity; undefined where it names none that can run. */
  named(request: Request): Runnable | undefined {
    const { buffer, offsets } = request;
    let row = this.index.find(buffer, offsets[0], offsets[1]);
    if (row?.kind === 'container') {
      if (request.count === 1) return row.alone;
      row = this.subcommands.get(row)!.find(buffer, offsets[2], offsets[3]);
    }
    return row?.kind === 'container' ? undefined : row;
  }

  /** The row of a full name (`get`, `object|encoding`) in any case, or undefined. */
  lookup(name: string): Command | undefined {
    const [first, second] = name.split('|');
    const bytes = Buffer.from(first, 'latin1');
    const row = this.index.find(bytes, 0, bytes.length);
    if (second === undefined || row?.kind !== 'container') return second === undefined ? row : undefined;
    const subname = Buffer.from(second, 'latin1');
    return this.subcommands.get(row)!.find(subname, 0, subname.length);
  }

  private unknown(request: Request): ErrorReply {
    const args: string[] = [];
    // Redis lists arguments until some 128 bytes are reached.
    for (let i = 1; i < request.count && i < 130; i++) args.push(request.latin1(i));
    return errors.unknownCommand(request.latin1(0), args);
  }
}
