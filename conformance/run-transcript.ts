/**
 * Plays transcripts against a server: compares what it answers with what stands in the file, or records it
 * there.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Client } from './client.js';
import { crc64Bytes } from './crc64.js';
import { explain, type KnownDifference } from './exceptions.js';
import { splitArguments } from './notation.js';
import { equalReplies, type Reply, textOf } from './reply.js';
import {
  type Action,
  expandVariables,
  type Outcome,
  type Protocol,
  parseTranscript,
  printOutcome,
  type Section,
  type Step,
  type Transcript,
} from './transcript.js';

/** A step whose outcome was not the recorded one. */
export interface Failure {
  file: string;
  lineNumber: number;
  section: string;
  protocol: Protocol;
  line: string;
  expected: string[];
  actual: string[];
}

/** What a run of one file came to. */
export interface TranscriptResult {
  passed: number;
  failed: number;
  /** Steps that differ as exceptions.txt says; they count as neither. */
  known: number;
  failures: Failure[];
}

/** Where a run stands, for {@link RunOptions.betweenSteps}. */
export interface Position {
  file: string;
  section: string;
  lineNumber: number;
  protocol: Protocol;
}

/** Options of {@link runTranscript}. */
export interface RunOptions {
  /** Called before each step, when no command of this transcript but blocked ones is under way. */
  betweenSteps?: (position: Position) => Promise<void> | void;
  /** Only sections whose name contains this. */
  section?: string;
  /** Differences that are known, with reasons: see exceptions.ts. */
  known?: readonly KnownDifference[];
  /** Only this protocol. */
  protocol?: Protocol;
}

const replyTimeoutMs = 5_000;
/** After so many missing replies the rest of a section is not waited for. */
const timeoutsMax = 2;
/** How long silence must last, while recording, before what came counts as all that comes. */
const quietMs = 120;

type Mode = 'replay' | 'record';

/**
 * Plays a transcript file and compares. Rejects when the file is no transcript or the server can't be
 * reached.
 */
export async function runTranscript(
  file: string,
  connect: () => Promise<Client>,
  options: RunOptions = {},
): Promise<TranscriptResult> {
  const transcript = parseTranscript(readFileSync(file, 'utf8'), basename(file));
  return play(transcript, basename(file), connect, options, 'replay');
}

/**
 * Plays a parsed transcript; in `record` mode it writes the outcomes into it, in `replay` mode it compares.
 */
export async function play(
  transcript: Transcript,
  file: string,
  connect: () => Promise<Client>,
  options: RunOptions,
  mode: Mode,
): Promise<TranscriptResult> {
  const result: TranscriptResult = { passed: 0, failed: 0, known: 0, failures: [] };
  const control = await connect();
  try {
    for (const section of transcript.sections) {
      if (options.section !== undefined && !section.name.includes(options.section)) continue;
      for (const protocol of section.protocols) {
        if (options.protocol !== undefined && options.protocol !== protocol) continue;
        await new SectionRun(file, section, protocol, control, connect, options, mode, result).run();
      }
    }
  } finally {
    control.close();
  }
  return result;
}

async function ask(client: Client, ...words: string[]): Promise<Reply> {
  client.send(words);
  const reply = await client.nextReply(replyTimeoutMs);
  if (!reply) throw new Error(`no reply to ${words.join(' ')}`);
  return reply;
}

async function blockedCount(control: Client): Promise<number> {
  // A write (of nothing) is ordered behind what was sent before: a server that orders writes by a log has
  // done that by then.
  await ask(control, 'DEL', 'conformance:no-such-key');
  const text = textOf(await ask(control, 'INFO', 'clients')) ?? '';
  const match = /blocked_clients:(\d+)/.exec(text);
  if (!match) throw new Error('INFO clients has no field blocked_clients');
  return Number(match[1]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

class SectionRun {
  private readonly clients = new Map<string, Client>();
  private readonly variables = new Map<string, string>();
  /** Clients which sent a command that has had no reply yet. */
  private readonly waiting = new Set<string>();
  private timeouts = 0;

  constructor(
    private readonly file: string,
    private readonly section: Section,
    private readonly protocol: Protocol,
    private readonly control: Client,
    private readonly connect: () => Promise<Client>,
    private readonly options: RunOptions,
    private readonly mode: Mode,
    private readonly result: TranscriptResult,
  ) {}

  async run(): Promise<void> {
    const settings = await this.settingsThatChange();
    await ask(this.control, 'FLUSHALL');
    try {
      for (const item of this.section.items) {
        if (item.kind === 'text') continue;
        await this.options.betweenSteps?.({
          file: this.file,
          section: this.section.name,
          lineNumber: item.lineNumber,
          protocol: this.protocol,
        });
        if (item.kind === 'action') await this.act(item);
        else await this.step(item);
      }
    } finally {
      for (const client of this.clients.values()) client.close();
    }
    for (const [name, value] of settings) await ask(this.control, 'CONFIG', 'SET', name, value);
    await this.untilBlockedCountIs(0);
  }

  /** The present values of all settings that the section's CONFIG SET lines name. */
  private async settingsThatChange(): Promise<Map<string, string>> {
    const settings = new Map<string, string>();
    for (const item of this.section.items) {
      const match = item.kind === 'step' && /^config set +(.*)$/i.exec(item.command ?? '');
      if (!match) continue;
      const words = splitArguments(match[1]!);
      for (let index = 0; index < words.length; index += 2) {
        const reply = await ask(this.control, 'CONFIG', 'GET', words[index]!);
        if (!('items' in reply)) continue;
        for (let at = 0; at + 1 < reply.items.length; at += 2) {
          settings.set(textOf(reply.items[at]!) ?? '', textOf(reply.items[at + 1]!) ?? '');
        }
      }
    }
    return settings;
  }

  private async act(action: Action): Promise<void> {
    if (action.verb === 'sleep') {
      await pause(Number(action.operand));
      return;
    }
    this.clients.get(action.operand)?.close();
    this.clients.delete(action.operand);
    this.waiting.delete(action.operand);
    // The next step must find the server done with this connection.
    await this.untilBlockedCountIs(this.waiting.size);
  }

  private async client(name: string): Promise<Client> {
    const known = this.clients.get(name);
    if (known && !known.closed) return known;
    const client = await this.connect();
    this.clients.set(name, client);
    if (this.protocol === 3) await ask(client, 'HELLO', '3');
    return client;
  }

  private async untilBlockedCountIs(count: number): Promise<boolean> {
    const deadline = performance.now() + 2_000;
    while ((await blockedCount(this.control)) !== count) {
      if (performance.now() > deadline) return false;
      await pause(1);
    }
    return true;
  }

  private async step(step: Step): Promise<void> {
    let outcome: Outcome;
    try {
      if (this.timeouts >= timeoutsMax)
        throw new Error('not played: too many replies of this section are missing');
      outcome = await this.perform(step);
      if (this.mode === 'replay') {
        const awaited = step.recorded[this.protocol]?.ending;
        const silent = outcome.ending === 'no reply' || outcome.ending === 'blocked';
        if (silent && outcome.ending !== awaited) this.timeouts++;
      }
    } catch (error) {
      if (this.mode === 'record') throw error;
      this.fail(step, [`(${(error as Error).message})`]);
      return;
    }
    if (this.mode === 'record' && outcome.ending === 'no reply' && !step.noReply && !step.raw) {
      throw new Error(
        `${this.file}:${step.lineNumber}: no reply within ${replyTimeoutMs} ms: a command that waits is written [blocks]`,
      );
    }
    if (step.captureAs !== undefined) this.variables.set(step.captureAs, textOf(outcome.replies[0]!) ?? '');
    const recorded = step.recorded[this.protocol];
    const equal = recorded !== undefined && sameOutcome(step, recorded, outcome);
    if (this.mode === 'record') {
      // An outcome that the matcher takes for the recorded one stays as it was: recording again changes
      // nothing without need.
      if (!equal || step.exact) {
        step.recorded[this.protocol] = {
          ...outcome,
          replies: outcome.replies.map((reply) => step.matcher.canonical(reply)),
        };
      }
      // RESP2's and RESP3's records are one where they match.
      const other = step.recorded[this.protocol === 3 ? 2 : 3];
      const mine = step.recorded[this.protocol]!;
      if (this.protocol === 3 && other && !step.exact && sameOutcome(step, other, mine))
        step.recorded[3] = other;
      this.result.passed++;
    } else if (equal) this.result.passed++;
    else this.fail(step, printOutcome(outcome));
  }

  private fail(step: Step, actual: string[]): void {
    const recorded = step.recorded[this.protocol];
    const expected = recorded ? printOutcome(recorded) : ['(not recorded)'];
    if (
      explain(this.options.known ?? [], step.command ?? step.line, expected.join('\n'), actual.join('\n'))
    ) {
      this.result.known++;
      return;
    }
    this.result.failed++;
    this.result.failures.push({
      file: this.file,
      lineNumber: step.lineNumber,
      section: this.section.name,
      protocol: this.protocol,
      line: step.line,
      expected,
      actual,
    });
  }

  private async perform(step: Step): Promise<Outcome> {
    if (step.command === undefined) {
      const waiter = this.clients.get(step.client);
      if (!waiter) throw new Error('this client has sent nothing yet');
      return this.awaitReply(step, waiter);
    }
    const client = await this.client(step.client);
    if (step.raw) return this.performRaw(step, client);
    const words = splitArguments(step.command);
    for (let i = 1; i <= step.times; i++) {
      this.variables.set('i', String(i));
      const expanded = words.map((word) => expandVariables(word, this.variables));
      if (step.checksum) expanded[3] += crc64Bytes(expanded[3]!);
      client.send(expanded);
    }
    if (step.noReply) return { replies: [], ending: 'no reply' };
    if (step.blocks) {
      this.waiting.add(step.client);
      const deadline = performance.now() + 2_000;
      while ((await blockedCount(this.control)) !== this.waiting.size && client.pendingCount === 0) {
        if (performance.now() > deadline) {
          this.timeouts++;
          throw new Error('neither blocked (by INFO clients) nor answered after 2 s');
        }
        await pause(1);
      }
      if (client.pendingCount === 0) return { replies: [], ending: 'blocked' };
      this.waiting.delete(step.client);
    }
    let reply: Reply | undefined;
    for (let i = 1; i < step.times; i++) await client.nextReply(replyTimeoutMs);
    const replies: Reply[] = [];
    for (let i = 0; i < step.replyCount; i++) {
      reply = await client.nextReply(replyTimeoutMs);
      if (reply) replies.push(reply);
    }
    if (step.closes) {
      const closed = await client.waitClosed(replyTimeoutMs);
      return { replies, ending: closed ? 'closed' : 'replied' };
    }
    if (replies.length < step.replyCount) return { replies, ending: client.closed ? 'closed' : 'no reply' };
    return { replies, ending: 'replied' };
  }

  private async awaitReply(step: Step, client: Client): Promise<Outcome> {
    if (step.still) {
      // Two round trips on another connection: a reply that was due would be here by now.
      await ask(this.control, 'PING');
      await ask(this.control, 'PING');
      await new Promise((resolve) => setImmediate(resolve));
      if (client.pendingCount === 0) return { replies: [], ending: 'blocked' };
    }
    this.waiting.delete(step.client);
    const replies: Reply[] = [];
    for (let i = 0; i < step.replyCount; i++) {
      const reply = await client.nextReply(replyTimeoutMs);
      if (reply) replies.push(reply);
    }
    if (step.closes && (await client.waitClosed(replyTimeoutMs))) return { replies, ending: 'closed' };
    if (replies.length < step.replyCount) return { replies, ending: client.closed ? 'closed' : 'blocked' };
    return { replies, ending: 'replied' };
  }

  /** Raw bytes may bring any number of replies, and the end of the connection. */
  private async performRaw(step: Step, client: Client): Promise<Outcome> {
    const bytes = splitArguments(step.command!)
      .map((word) => expandVariables(word, this.variables))
      .join('');
    client.sendRaw(bytes);
    const replies: Reply[] = [];
    const recorded = this.mode === 'replay' ? step.recorded[this.protocol] : undefined;
    if (recorded) {
      while (replies.length < recorded.replies.length) {
        const reply = await client.nextReply(replyTimeoutMs);
        if (!reply) break;
        replies.push(reply);
      }
      if (recorded.ending === 'closed') await client.waitClosed(replyTimeoutMs);
      // Anything beyond the record would follow at once.
      for (;;) {
        const reply = await client.nextReply(10);
        if (!reply) break;
        replies.push(reply);
      }
    } else {
      for (;;) {
        const reply = await client.nextReply(quietMs);
        if (!reply) break;
        replies.push(reply);
      }
      await client.waitClosed(quietMs);
    }
    if (client.closed) return { replies, ending: 'closed' };
    return { replies, ending: replies.length > 0 ? 'replied' : 'no reply' };
  }
}

function sameOutcome(step: Step, recorded: Outcome, actual: Outcome): boolean {
  return (
    recorded.ending === actual.ending &&
    recorded.replies.length === actual.replies.length &&
    recorded.replies.every((reply, index) =>
      step.exact
        ? equalReplies(reply, actual.replies[index]!)
        : step.matcher.matches(reply, actual.replies[index]!),
    )
  );
}

/** A failure as a person reads it: where, what was sent, and what differs. */
export function printFailure(failure: Failure): string {
  return [
    `${failure.file}:${failure.lineNumber} [${failure.section}, RESP${failure.protocol}]`,
    `    ${failure.line}`,
    ...printLineDifference(failure.expected, failure.actual),
  ].join('\n');
}

/** Two replies from where they part, with a few lines before; long ones are cut, which is said. */
export function printLineDifference(expected: readonly string[], actual: readonly string[]): string[] {
  let same = 0;
  while (same < expected.length && same < actual.length && expected[same] === actual[same]) same++;
  const shown = (lines: readonly string[], sign: string): string[] => {
    const rest = lines.slice(same);
    const cut = rest.length > 24 ? [...rest.slice(0, 24), `… ${rest.length - 24} more lines`] : rest;
    return (cut.length > 0 ? cut : ['(nothing more)']).map((line) => `  ${sign} ${line}`);
  };
  return [
    ...expected.slice(Math.max(0, same - 3), same).map((line) => `    ${line}`),
    ...shown(expected, '-'),
    ...shown(actual, '+'),
  ];
}
