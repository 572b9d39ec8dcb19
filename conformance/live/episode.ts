/**
 * An episode: units played on two servers, from an empty keyspace. Commands of one connection go to both
 * servers in batches; replies are compared after each batch, the keyspaces too. With several connections
 * every run of commands of one connection ends before the next begins.
 */
import type { ReplyClient } from '../client.js';
import { explain, type KnownDifference } from '../exceptions.js';
import { printCommand, printReply } from '../notation.js';
import { equalReplies, type Reply, textOf } from '../reply.js';
import type { RunningServer } from '../servers.js';
import type { Protocol } from '../transcript.js';
import { EventListener } from './event-listener.js';
import { compareStates, readState } from './state.js';
import type { Command, Family, Unit } from './unit.js';

/** The first difference that an episode met. */
export interface Difference {
  /** Index of the unit after which it was seen. */
  unit: number;
  /** What differed: a command as typed, or the state of a key. */
  what: string;
  reference: string;
  target: string;
  /** A server closed the connection or did not answer: each further attempt may take as long. */
  broken?: boolean;
}

/** What an episode came to. */
export interface EpisodeResult {
  commandCount: number;
  /** Differences that exceptions.txt explains. */
  knownCount: number;
  difference: Difference | undefined;
}

const batchSize = 250;

/** One server and the connections that an episode has to it. */
class Side {
  readonly clients: ReplyClient[] = [];
  private control: ReplyClient | undefined;
  private events: EventListener | undefined;
  /** Replies that each connection still waits for. */
  readonly outstanding: number[] = [];

  constructor(
    readonly server: RunningServer,
    private readonly protocol: Protocol,
    private readonly hearsEvents: boolean,
  ) {}

  async open(connections: number): Promise<void> {
    this.control ??= await this.connect(2);
    if (this.hearsEvents) this.events ??= await EventListener.start(await this.connect(2), this.control);
    if (this.control.closed) throw new Error(`${this.server.name} closed the control connection`);
    while (this.clients.length < connections) {
      this.clients.push(await this.connect(this.protocol));
      this.outstanding.push(0);
    }
  }

  private async connect(protocol: Protocol): Promise<ReplyClient> {
    const client = await this.server.connect();
    client.trustOwnParser();
    if (protocol === 3) await client.call(['HELLO', '3']);
    return client;
  }

  /** Drops the connections which may carry state from one episode to the next. */
  dropClients(): void {
    for (const client of this.clients.splice(0)) client.close();
    this.outstanding.length = 0;
  }

  /** A connection beside the episode's own, in RESP2: for settings, state and waiting clients. */
  get controlClient(): ReplyClient {
    if (!this.control) throw new Error('not open');
    return this.control;
  }

  async blockedCount(): Promise<number> {
    // The write (of nothing) is ordered behind what was sent before: a server that orders writes by a log has
    // done that by then.
    const [, info] = await this.controlClient.pipeline([
      ['DEL', 'conformance:no-such-key'],
      ['INFO', 'clients'],
    ]);
    const text = textOf(info!) ?? '';
    return Number(/blocked_clients:(\d+)/.exec(text)?.[1] ?? Number.NaN);
  }

  /**
   * Sends commands on one connection and gathers what they cause, on it and on connections that waited.
   * @returns for each connection the replies that came
   */
  async exchange(
    connection: number,
    commands: readonly string[][],
    mayBlock: boolean,
    timesOut: boolean,
  ): Promise<Reply[][]> {
    try {
      return await this.exchangeNow(connection, commands, mayBlock, timesOut);
    } catch (error) {
      throw new Error(`${this.server.name}: ${(error as Error).message}`);
    }
  }

  private async exchangeNow(
    connection: number,
    commands: readonly string[][],
    mayBlock: boolean,
    timesOut: boolean,
  ): Promise<Reply[][]> {
    const replies: Reply[][] = this.clients.map(() => []);
    const client = this.clients[connection]!;
    if (!mayBlock) replies[connection] = await client.pipeline(commands);
    else {
      for (const words of commands) client.send(words);
      this.outstanding[connection]! += commands.length;
    }
    if (this.outstanding.some((count) => count > 0))
      await this.settle(replies, timesOut ? connection : undefined);
    return replies;
  }

  /** Waits until the server holds as many blocked clients as replies are missing. */
  private async settle(replies: Reply[][], mustAnswer: number | undefined): Promise<void> {
    const deadline = performance.now() + 5_000;
    for (;;) {
      let missing = 0;
      for (const [index, client] of this.clients.entries()) {
        while (client.pendingCount > 0) {
          replies[index]!.push((await client.nextReply(0))!);
          this.outstanding[index]!--;
        }
        if (this.outstanding[index]! > 0) missing++;
      }
      const answered = mustAnswer === undefined || this.outstanding[mustAnswer] === 0;
      if (missing === 0 || (missing === (await this.blockedCount()) && answered)) {
        // Replies written before INFO's may still lie in another socket.
        await new Promise((resolve) => setImmediate(resolve));
        if (this.clients.every((client) => client.pendingCount === 0)) return;
      }
      if (performance.now() > deadline)
        throw new Error(`${missing} replies are missing, and no client is blocked`);
    }
  }

  /** What it has told of keys since it was last asked; nothing if nobody listens. */
  takeEvents(): Promise<string[]> {
    return this.events === undefined ? Promise.resolve([]) : this.events.take();
  }

  close(): void {
    this.dropClients();
    this.events?.close();
    this.events = undefined;
    this.control?.close();
    this.control = undefined;
  }
}

/** Plays episodes on a reference and a target. */
export class EpisodePlayer {
  private readonly reference: Side;
  private readonly target: Side;
  /** How far the units of the present episode have been sent. */
  private playedTo = 0;

  constructor(
    reference: RunningServer,
    target: RunningServer,
    protocol: Protocol,
    private readonly family: Family,
    private readonly known: readonly KnownDifference[],
    private readonly comparesEvents = false,
  ) {
    this.reference = new Side(reference, protocol, comparesEvents);
    this.target = new Side(target, protocol, comparesEvents);
  }

  /** Applies the family's settings to both servers. */
  async prepare(): Promise<void> {
    for (const side of [this.reference, this.target]) {
      await side.open(0);
      for (const [name, value] of Object.entries(this.family.settings ?? {})) {
        const reply = await side.controlClient.call(['CONFIG', 'SET', name, value]);
        if (reply.type === 'error') throw new Error(`${side.server.name}: CONFIG SET ${name}: ${reply.text}`);
      }
    }
  }

  private async reset(): Promise<void> {
    const connections = this.family.connections ?? 1;
    for (const side of [this.reference, this.target]) {
      if (connections > 1) side.dropClients();
      await side.open(connections);
      await side.controlClient.call(['FLUSHALL']);
      if (this.family.blocking) while ((await side.blockedCount()) > 0);
    }
  }

  /**
   * Plays units from an empty keyspace until the first difference; that a server hangs up or does not answer
   * is one. Rejects when a server can't be reached at the start.
   */
  async play(units: readonly Unit[]): Promise<EpisodeResult> {
    const result: EpisodeResult = { commandCount: 0, knownCount: 0, difference: undefined };
    await this.reset();
    try {
      await this.playUnits(units, result);
    } catch (error) {
      const unit = Math.min(this.playedTo, units.length) - 1;
      const text = (error as Error).message;
      result.difference = { unit, what: 'the connection', reference: '', target: text, broken: true };
      this.close();
    }
    return result;
  }

  private async playUnits(units: readonly Unit[], result: EpisodeResult): Promise<void> {
    let at = 0;
    let comparedAt = 0;
    while (at < units.length && !result.difference) {
      const end = this.batchEnd(units, at);
      const unit = units[at]!;
      this.playedTo = end;
      if (unit.commands) {
        // What was told of keys while states were compared is nobody's.
        await this.takeEvents();
        await this.playBatch(units, at, end, result);
        if (!result.difference) await this.compareEvents(end - 1, result);
      } else await this.playScript(unit, at, result);
      at = end;
      if (result.difference) break;
      if (at >= units.length || result.commandCount - comparedAt >= batchSize) {
        comparedAt = result.commandCount;
        await this.compareState(at - 1, result);
      }
    }
  }

  private batchEnd(units: readonly Unit[], start: number): number {
    if (!units[start]!.commands) return start + 1;
    let end = start;
    while (end < units.length && end - start < batchSize && units[end]!.commands) end++;
    return end;
  }

  private async compareState(unit: number, result: EpisodeResult): Promise<void> {
    const databases = this.family.databases ?? [0];
    const [reference, target] = await Promise.all([
      readState(this.reference.controlClient, databases),
      readState(this.target.controlClient, databases),
    ]);
    const difference = compareStates(reference, target);
    if (difference) {
      this.note(unit, `state of ${difference.key}`, difference.reference, difference.target, result);
    }
  }

  private takeEvents(): Promise<[reference: string[], target: string[]]> {
    return Promise.all([this.reference.takeEvents(), this.target.takeEvents()]);
  }

  private async compareEvents(unit: number, result: EpisodeResult): Promise<void> {
    if (!this.comparesEvents) return;
    const [reference, target] = (await this.takeEvents()).map((events) => events.join('\n'));
    if (reference !== target) this.note(unit, 'events', reference!, target!, result);
  }

  private note(unit: number, what: string, reference: string, target: string, result: EpisodeResult): void {
    if (explain(this.known, what, reference, target)) result.knownCount++;
    else result.difference = { unit, what, reference, target };
  }

  private async playScript(unit: Unit, at: number, result: EpisodeResult): Promise<void> {
    const callReference = (words: string[]): Promise<Reply> => {
      result.commandCount++;
      return this.reference.clients[0]!.call(words);
    };
    const callTarget = (words: string[]): Promise<Reply> => this.target.clients[0]!.call(words);
    if (unit.crossScript) {
      const wrong = await unit.crossScript.run(callReference, callTarget, {
        reference: this.reference.server,
        target: this.target.server,
      });
      if (wrong !== undefined) this.note(at, unit.crossScript.name, 'accepted both ways', wrong, result);
      return;
    }
    const [reference, target] = (
      await Promise.all([unit.script!.run(callReference), unit.script!.run(callTarget)])
    ).map((value) => JSON.stringify(value, null, 1));
    if (reference !== target) this.note(at, unit.script!.name, reference!, target!, result);
  }

  private async playBatch(
    units: readonly Unit[],
    start: number,
    end: number,
    result: EpisodeResult,
  ): Promise<void> {
    const commands: { command: Command; unit: number }[] = [];
    for (let unit = start; unit < end; unit++) {
      for (const command of units[unit]!.commands!) commands.push({ command, unit });
    }
    const blocking = this.family.blocking === true;
    for (let at = 0; at < commands.length && !result.difference; ) {
      const connection = commands[at]!.command.connection ?? 0;
      let next = at + 1;
      while (!blocking && next < commands.length && (commands[next]!.command.connection ?? 0) === connection)
        next++;
      const run = commands.slice(at, next);
      at = next;
      // A connection that waits can't send: what it would have sent is left out, on both sides alike.
      if (this.reference.outstanding[connection]! > 0) continue;
      result.commandCount += run.length;
      const words = run.map(({ command }) => command.words);
      const timesOut = run[0]!.command.timesOut === true;
      const [reference, target] = await Promise.all([
        this.reference.exchange(connection, words, blocking, timesOut),
        this.target.exchange(connection, words, blocking, timesOut),
      ]);
      this.compareRun(run, connection, reference, target, result);
    }
  }

  private compareRun(
    run: readonly { command: Command; unit: number }[],
    connection: number,
    reference: Reply[][],
    target: Reply[][],
    result: EpisodeResult,
  ): void {
    if (this.family.blocking !== true) {
      run.forEach(({ command, unit }, index) => {
        if (result.difference) return;
        const left = reference[connection]![index]!;
        const right = target[connection]![index]!;
        if (equalReplies(left, right)) return;
        this.compareReplies(command, unit, left, right, result);
      });
      return;
    }
    const { command, unit } = run[0]!;
    for (let index = 0; index < reference.length && !result.difference; index++) {
      const here = reference[index]!;
      const there = target[index]!;
      if (here.length === there.length && here.length === 1) {
        this.compareReplies(command, unit, here[0]!, there[0]!, result, `connection ${index} after `);
      } else if (here.length !== there.length) {
        const print = (replies: Reply[]): string => replies.flatMap((reply) => printReply(reply)).join('\n');
        this.note(
          unit,
          `connection ${index} after ${printCommand(command.words)}`,
          print(here) || '(blocked)',
          print(there) || '(blocked)',
          result,
        );
      }
    }
  }

  private compareReplies(
    command: Command,
    unit: number,
    reference: Reply,
    target: Reply,
    result: EpisodeResult,
    prefix = '',
  ): void {
    const normalise = command.normalise ?? ((reply: Reply) => reply);
    const left = normalise(reference);
    const right = normalise(target);
    if (equalReplies(left, right) || command.compare?.(left, right)) return;
    const what = prefix + printCommand(command.words);
    this.note(unit, what, printReply(left).join('\n'), printReply(right).join('\n'), result);
  }

  close(): void {
    this.reference.close();
    this.target.close();
  }
}
