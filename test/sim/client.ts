/**
 * A client of the simulated cluster: it follows -TRY, gives up when nothing comes, and notes what it saw.
 */
import type RedisParser from 'redis-parser';
import Parser from 'redis-parser';
import { encodeRequest } from '../../src/resp/encode-request.js';
import type { Operation, Reply } from '../linearizability/history.js';
import { collapseLarge, expandLarge } from './large-values.js';
import type { Machine } from './machine.js';
import { ClientLink } from './network.js';
import type { Random } from './random.js';
import type { TtlHistory } from './ttl.js';
import type { ClientOperation } from './workload.js';
import type { World } from './world.js';

/**
 * How long a request may stay without an answer while all is well: no fault lasts, somebody leads, and the
 * connection lost nothing. Nodes hold requests for up to five seconds, and give a leader that is gone
 * three.
 */
const answerMaxMs = 8000;
const lookEveryMs = 500;

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

type Answer = Reply | Error;

/** How an exchange ended: with all replies, with some of them, or before the request left. */
interface Exchange {
  readonly answers: Answer[];
  /** When each answer came. */
  readonly times: number[];
  /** When each command left; behind a pause, later than the first. */
  readonly sentAt: number[];
  readonly wasSent: boolean;
}

/** A refusal is certain: the command did not take effect. */
const isRefusal = (error: Error): boolean => /^(TRY|CLUSTERDOWN|EXECABORT)/.test(error.message);
/** An answer, where an error that says what the state is counts as any other: `-NOGROUP`. */
function told(answer: Answer | undefined): Answer | undefined {
  const code = answer instanceof Error ? /^(BUSYGROUP|NOGROUP)/.exec(answer.message)?.[0] : undefined;
  return code === undefined ? answer : `-${code}`;
}

/** Whoever waits for so long has lost its patience before: its waiter is to go with it. */
const waitsLong = ([name, ...args]: readonly string[]): boolean => name === 'BLPOP' && args.at(-1) === '60';

const isUnknown = (error: Error): boolean => error.message.startsWith('UNKNOWN');

export class Client {
  isDone = false;
  private at = -1;
  /** Its last answer, or what it waits for. */
  private last = '';
  private link: ClientLink | undefined;
  private linked: Machine | undefined;
  private target: Machine | undefined;
  private onAnswer: (answer: Answer) => void = () => {};
  private onClosed: () => void = () => {};
  private readonly random: Random;
  private parser: RedisParser | undefined;

  constructor(
    private readonly world: World,
    readonly name: string,
    private readonly operations: readonly ClientOperation[],
    private readonly history: Operation[],
    private readonly ttl: TtlHistory,
  ) {
    this.random = world.random.fork(name);
  }

  async run(): Promise<void> {
    for (const operation of this.operations) {
      await this.world.sleep(operation.thinkMs);
      if (this.world.isOver) return;
      this.at++;
      await this.perform(operation);
    }
    this.disconnect();
    this.isDone = true;
  }

  /** For reports. */
  describe(): string {
    const facts = this.isDone ? 'done' : `at operation ${this.at}, ${this.last}`;
    return `${this.name} ${facts}`;
  }

  /** Carries an operation through: again while it is refused, once when its outcome is unknown. */
  private async perform(operation: ClientOperation): Promise<void> {
    for (;;) {
      const isFinished = await this.attempt(operation);
      if (isFinished || this.world.isOver) return;
      await this.world.sleep(this.random.between(5, 80));
    }
  }

  private async attempt(operation: ClientOperation): Promise<boolean> {
    const { commands, kind } = operation;
    if (kind === 'command' || kind === 'pipeline') return this.sendCommands(commands, kind === 'command');
    if (kind === 'expire') return this.sendExpiring(commands[0]!);
    if (kind === 'watch') return this.sendWatched(commands);
    return this.sendTransaction(commands, kind === 'look', undefined);
  }

  private async sendCommands(commands: readonly (readonly string[])[], mayRepeat: boolean): Promise<boolean> {
    const exchange = await this.exchange(commands, undefined, !mayRepeat);
    if (!exchange.wasSent) return false;
    let previous: Operation | undefined;
    // What was to follow a pause and never left has not happened.
    for (let i = 0; i < exchange.sentAt.length; i++) {
      const answer = told(exchange.answers[i]);
      if (answer instanceof Error) {
        this.heed(answer);
        if (answer.message.startsWith('UNBLOCKED')) continue;
        if (isRefusal(answer)) {
          if (mayRepeat) return false;
          continue;
        }
        this.expectUnknown(answer, commands[i]!);
      }
      const isKnown = answer !== undefined && !(answer instanceof Error);
      const returnedAt = isKnown ? exchange.times[i]! : Number.POSITIVE_INFINITY;
      const output = isKnown ? answer : undefined;
      const noted: Mutable<Operation> = {
        client: this.name,
        commands: [commands[i]!],
        isTransaction: false,
        invokedAt: exchange.sentAt[i]!,
        returnedAt,
        output,
      };
      if (previous !== undefined) noted.follows = previous;
      this.history.push(noted);
      previous = noted;
    }
    return true;
  }

  private async sendWatched(commands: readonly (readonly string[])[]): Promise<boolean> {
    const key = commands[0]![1]!;
    const invokedAt = this.world.loop.nowMs;
    const { answers, times } = await this.exchange([
      ['WATCH', key],
      ['GET', key],
    ]);
    const value = answers[1];
    // Time for others to change it, and for the leader to go.
    if (this.random.chance(0.4)) await this.world.sleep(this.random.between(20, 1500));
    if (answers[0] !== 'OK' || value instanceof Error || value === undefined) {
      for (const answer of answers) if (answer instanceof Error) this.heed(answer);
      this.disconnect();
      return false;
    }
    this.history.push({
      client: this.name,
      commands: [['GET', key]],
      isTransaction: false,
      invokedAt,
      returnedAt: times[1]!,
      output: value,
    });
    return this.sendTransaction(commands, false, { key, value: value as string | null });
  }

  private async sendTransaction(
    commands: readonly (readonly string[])[],
    isLook: boolean,
    watched: { key: string; value: string | null } | undefined,
  ): Promise<boolean> {
    const { linked } = this;
    const invokedAt = this.world.loop.nowMs;
    const exchange = await this.exchange(
      [['MULTI'], ...commands, ['EXEC']],
      watched === undefined ? undefined : linked,
    );
    if (!exchange.wasSent) return watched !== undefined;
    const answer = exchange.answers[commands.length + 1];
    if (answer instanceof Error) {
      this.heed(answer);
      if (isRefusal(answer)) {
        this.disconnect();
        return watched !== undefined;
      }
      this.expectUnknown(answer, commands[0]!);
    }
    const isKnown = answer !== undefined && !(answer instanceof Error);
    if (isLook) {
      if (isKnown) {
        if (answer === null) {
          this.world.invariants.violate(
            'replies',
            `${this.name}: EXEC without WATCH aborted at ${this.linked?.name}`,
          );
          return true;
        }
        const [value, ttlMs] = answer as [string | null, number];
        this.ttl.reads.push({
          key: commands[0]![1]!,
          value,
          ttlMs,
          invokedAt,
          returnedAt: exchange.times.at(-1)!,
        });
      }
      return true;
    }
    this.history.push({
      client: this.name,
      commands,
      isTransaction: true,
      watched: watched === undefined ? undefined : [watched],
      invokedAt,
      returnedAt: isKnown ? exchange.times.at(-1)! : Number.POSITIVE_INFINITY,
      output: isKnown ? answer : undefined,
    });
    return true;
  }

  private async sendExpiring(command: readonly string[]): Promise<boolean> {
    const invokedAt = this.world.loop.nowMs;
    const { answers, times, wasSent } = await this.exchange([command]);
    if (!wasSent) return false;
    const answer = answers[0];
    if (answer instanceof Error) {
      this.heed(answer);
      if (isRefusal(answer)) return false;
      this.expectUnknown(answer, command);
    }
    this.ttl.writes.push({
      key: command[1]!,
      value: command[2]!,
      lifetimeMs: Number(command[4]),
      invokedAt,
      returnedAt: answer === 'OK' ? times[0]! : Number.POSITIVE_INFINITY,
    });
    return true;
  }

  private expectUnknown(error: Error, command: readonly string[]): void {
    if (!isUnknown(error)) {
      this.world.invariants.violate('replies', `${this.name}: ${command.join(' ')} -> ${error.message}`);
    }
  }

  /** Where a refusal points to. */
  private heed(error: Error): void {
    this.last = `${this.linked?.name} says ${error.message}`;
    const address = /TRY (\S+)/.exec(error.message)?.[1];
    if (address === undefined && !error.message.includes('CLUSTERDOWN')) return;
    this.target = this.world.machines.find((machine) => machine.address === address);
    if (this.target !== this.linked) this.disconnect();
  }

  // ---- exchanges ----

  /**
   * Sends commands and waits for all replies, the end of the connection, or the end of patience. On `only`,
   * or not at all. If it `mayPause`, some of the commands may leave later, whatever was answered by then.
   */
  private async exchange(
    commands: readonly (readonly string[])[],
    only?: Machine,
    mayPause = false,
  ): Promise<Exchange> {
    if (only !== undefined && (this.link === undefined || this.linked !== only)) {
      return { answers: [], times: [], sentAt: [], wasSent: false };
    }
    if (this.link === undefined && !this.connect()) {
      this.target = undefined;
      return { answers: [], times: [], sentAt: [], wasSent: false };
    }
    const { world } = this;
    this.last = `asks ${this.linked?.name} for ${commands.join('; ')} since ${world.loop.nowMs.toFixed(0)}`;
    const answers: Answer[] = [];
    const times: number[] = [];
    const sentAt: number[] = [];
    await new Promise<void>((resolve) => {
      let isEnded = false;
      const end = (): void => {
        if (isEnded) return;
        isEnded = true;
        patience.cancel();
        resolve();
      };
      let patience = world.loop.after(this.random.between(700, 3500), () => {
        if (world.isCalm && this.link?.isSound && !commands.some(waitsLong)) {
          mustCome(0);
          return;
        }
        this.disconnect();
        this.target = undefined;
        end();
      });
      // While all is well an answer must come, or the connection end.
      const mustCome = (wellMs: number): void => {
        if (wellMs > answerMaxMs) world.invariants.violate('every request is answered', this.describe());
        patience = world.loop.after(lookEveryMs, () =>
          mustCome(world.leader?.node?.status().ownTermCommitted === true ? wellMs + lookEveryMs : 0),
        );
      };
      this.onAnswer = (answer) => {
        answers.push(answer instanceof Error ? answer : this.collapse(answer));
        times.push(world.loop.nowMs);
        if (answers.length === commands.length) end();
      };
      this.onClosed = () => {
        this.link = undefined;
        this.target = undefined;
        end();
      };
      const { link } = this;
      const send = (from: number, to: number): void => {
        if (isEnded || this.link !== link) return;
        for (let i = from; i < to; i++) sentAt.push(world.loop.nowMs);
        link!.send(
          Buffer.concat(commands.slice(from, to).map((command) => encodeRequest(expandLarge(command)))),
        );
      };
      const pauses = mayPause && commands.length > 1 && this.random.chance(0.5);
      const first = pauses ? 1 + this.random.below(commands.length - 1) : commands.length;
      send(0, first);
      const pauseMs = this.random.between(0, this.random.chance(0.4) ? 1500 : 10);
      if (pauses) world.loop.after(pauseMs, () => send(first, commands.length));
    });
    this.onAnswer = () => this.world.invariants.violate('replies', `${this.name} got a reply to nothing`);
    this.onClosed = () => {
      this.link = undefined;
      this.target = undefined;
    };
    return { answers, times, sentAt, wasSent: true };
  }

  private collapse(answer: Reply): Reply {
    try {
      return collapseLarge(answer);
    } catch (error) {
      this.world.invariants.violate('replies', `${this.name}: ${(error as Error).message}`);
      return answer;
    }
  }

  private connect(): boolean {
    const { world } = this;
    const machine = this.target ?? this.random.pick(world.machines);
    const { running } = machine;
    if (running === undefined || machine.state !== 'up') return false;
    this.linked = machine;
    this.parser = new Parser({
      returnReply: (reply: Reply) => this.onAnswer(reply),
      returnError: (error: Error) => this.onAnswer(error),
    });
    const link: ClientLink = new ClientLink(
      world.loop,
      world.network,
      this.name,
      machine.name,
      running.process,
      this.random,
      {
        received: (bytes) => {
          if (this.link === link) this.parser!.execute(bytes);
        },
        closed: () => {
          running.links.delete(link);
          if (this.link === link) this.onClosed();
        },
      },
      machine.nextPort(),
      (socket) => {
        if (!machine.accept(socket)) socket.destroy();
      },
    );
    this.link = link;
    running.links.add(link);
    return true;
  }

  private disconnect(): void {
    this.link?.abandon();
    this.linked?.running?.links.delete(this.link!);
    this.link = undefined;
  }
}
