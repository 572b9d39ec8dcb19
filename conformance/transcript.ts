/**
 * The transcript format: commands as a person types them into redis-cli, each with the recorded reply below.
 *
 *     # a comment
 *     == name of the section            both protocols; `(resp2)` or `(resp3)` after the name: only that one
 *     > SET k v                         the command of the main client
 *     +OK
 *     c2 [blocks]> BLPOP q 0            a second connection named c2; its reply is yet to come
 *     (blocked)
 *     > RPUSH q a
 *     :1
 *     c2<                               now the reply of c2 must have come
 *     *2
 *       $"q"
 *       $"a"
 *     [unordered]> SMEMBERS s           a matcher (see matchers.ts)
 *     ! sleep 20                        milliseconds      ! disconnect c2
 *
 * Where RESP3's reply differs it stands below a line `(resp3)`. A section begins with an empty keyspace and
 * fresh connections, and settings changed by CONFIG SET are put back at its end.
 *
 * More directives: `blocks`, `still` (for `c2 [still]<`: no reply yet), `closes` (the server closes the
 * connection after the reply), `raw` (the arguments are sent as bare bytes), `checksum` (the CRC-64 that ends
 * a DUMP payload is put behind the fourth word), `no-reply`, `times N` (`${i}` counts, the last reply is
 * recorded), `replies N`, `as NAME` (`${NAME}` is this reply's text from here on). `${text*N}` repeats,
 * `${now+N}` and `${now-ms+N}` give the time.
 */
import { exactMatcher, type Matcher, parseMatcher } from './matchers.js';
import { NotationError, printReply, ReplyReader } from './notation.js';
import type { Reply } from './reply.js';

/** RESP version. */
export type Protocol = 2 | 3;

/** What was seen after a step: replies, in order, and how it ended. */
export interface Outcome {
  replies: Reply[];
  ending: 'replied' | 'blocked' | 'no reply' | 'closed';
}

/** A command, or the wait for a reply that was due. */
export interface Step {
  kind: 'step';
  line: string;
  lineNumber: number;
  client: string;
  /** The arguments as typed, before `${…}` is replaced; undefined for a wait (`c2<`). */
  command: string | undefined;
  matcher: Matcher;
  exact: boolean;
  blocks: boolean;
  still: boolean;
  closes: boolean;
  raw: boolean;
  checksum: boolean;
  noReply: boolean;
  times: number;
  replyCount: number;
  captureAs: string | undefined;
  recorded: Partial<Record<Protocol, Outcome>>;
}

/** `! sleep 20`, `! disconnect c2`. */
export interface Action {
  kind: 'action';
  line: string;
  lineNumber: number;
  verb: 'sleep' | 'disconnect';
  operand: string;
}

/** A comment or an empty line. */
export interface Text {
  kind: 'text';
  line: string;
}

/** A run of steps that starts from an empty server. */
export interface Section {
  name: string;
  line: string;
  lineNumber: number;
  protocols: Protocol[];
  items: (Step | Action | Text)[];
}

/** A parsed transcript file. */
export interface Transcript {
  preamble: Text[];
  sections: Section[];
}

/** Thrown for a file that is not a transcript; the message names file and line. */
export class TranscriptError extends Error {}

const commandLine = /^([a-z][a-z0-9-]*)? ?(?:\[(.*?)\])?> (.+)$/;
const waitLine = /^([a-z][a-z0-9-]*)? ?(?:\[(.*?)\])?<$/;

function parseStep(line: string, lineNumber: number): Step | undefined {
  const command = commandLine.exec(line);
  const wait = command ? null : waitLine.exec(line);
  const match = command ?? wait;
  if (!match) return undefined;
  const step: Step = {
    kind: 'step',
    line,
    lineNumber,
    client: match[1] ?? '',
    command: command ? match[3]! : undefined,
    matcher: exactMatcher,
    exact: true,
    blocks: false,
    still: false,
    closes: false,
    raw: false,
    checksum: false,
    noReply: false,
    times: 1,
    replyCount: 1,
    captureAs: undefined,
    recorded: {},
  };
  for (const directive of (match[2] ?? '').split(';').map((text) => text.trim())) {
    const [name, operand] = directive.split(' ');
    if (directive === '') continue;
    if (name === 'blocks') step.blocks = true;
    else if (name === 'still') step.still = true;
    else if (name === 'closes') step.closes = true;
    else if (name === 'raw') step.raw = true;
    else if (name === 'checksum') step.checksum = true;
    else if (name === 'no-reply') step.noReply = true;
    else if (name === 'times' && Number(operand) > 0) step.times = Number(operand);
    else if (name === 'replies' && Number(operand) > 0) step.replyCount = Number(operand);
    else if (name === 'as' && operand) step.captureAs = operand;
    else {
      step.matcher = parseMatcher(directive);
      step.exact = false;
    }
  }
  if (step.still && step.command !== undefined)
    throw new Error('[still] belongs to a wait, such as c2 [still]<');
  return step;
}

function parseOutcome(lines: string[]): Outcome {
  const outcome: Outcome = { replies: [], ending: 'replied' };
  const last = lines.at(-1);
  const endings = { '(blocked)': 'blocked', '(no reply)': 'no reply', '(closed)': 'closed' } as const;
  if (last !== undefined && last in endings) {
    outcome.ending = endings[last as keyof typeof endings];
    lines = lines.slice(0, -1);
  }
  const reader = new ReplyReader(lines);
  while (!reader.done) outcome.replies.push(reader.read());
  return outcome;
}

function isText(line: string): boolean {
  return line === '' || line === '#' || line.startsWith('# ');
}

/** Parses a transcript. `name` is for error messages. */
export function parseTranscript(source: string, name: string): Transcript {
  const transcript: Transcript = { preamble: [], sections: [] };
  const lines = source.replace(/\n$/, '').split('\n');
  let section: Section | undefined;
  let step: Step | undefined;
  let block: string[] = [];
  let blockStart = 0;
  const fail = (lineNumber: number, error: unknown): never => {
    throw new TranscriptError(`${name}:${lineNumber}: ${(error as Error).message}`);
  };
  const finishBlock = (): void => {
    if (block.length === 0) return;
    try {
      if (!step) throw new Error(`a reply without a command: ${block[0]}`);
      const split = block.indexOf('(resp3)');
      const first = split < 0 ? block : block.slice(0, split);
      const common = first.length > 0 ? parseOutcome(first) : undefined;
      for (const protocol of section!.protocols) if (common) step.recorded[protocol] = common;
      if (split >= 0) step.recorded[3] = parseOutcome(block.slice(split + 1));
    } catch (error) {
      fail(blockStart, error);
    }
    block = [];
    step = undefined;
  };
  for (const [index, line] of lines.entries()) {
    const lineNumber = index + 1;
    if (isText(line)) {
      finishBlock();
      step = undefined;
      (section?.items ?? transcript.preamble).push({ kind: 'text', line });
      continue;
    }
    if (line.startsWith('== ')) {
      finishBlock();
      const match = /^== (.*?)(?: \((resp[23])\))?$/.exec(line)!;
      const protocols: Protocol[] = match[2] === 'resp2' ? [2] : match[2] === 'resp3' ? [3] : [2, 3];
      section = { name: match[1]!, line, lineNumber, protocols, items: [] };
      transcript.sections.push(section);
      step = undefined;
      continue;
    }
    const action = /^! (sleep|disconnect)(?: (.+))?$/.exec(line);
    let parsed: Step | undefined;
    try {
      parsed = action ? undefined : parseStep(line, lineNumber);
    } catch (error) {
      fail(lineNumber, error);
    }
    if (action || parsed) {
      finishBlock();
      if (!section) throw fail(lineNumber, new Error('a command before the first section (== name)'));
      if (action) {
        const verb = action[1] as Action['verb'];
        const operand = action[2] ?? '';
        if (verb === 'sleep' && !/^\d+$/.test(operand))
          fail(lineNumber, new Error('sleep takes milliseconds'));
        section.items.push({ kind: 'action', line, lineNumber, verb, operand });
        step = undefined;
      } else {
        step = parsed!;
        section.items.push(step);
      }
      continue;
    }
    if (block.length === 0) blockStart = lineNumber;
    block.push(line);
  }
  finishBlock();
  return transcript;
}

/** An outcome as it stands below a command. */
export function printOutcome(outcome: Outcome): string[] {
  const lines = outcome.replies.flatMap((reply) => printReply(reply));
  if (outcome.ending !== 'replied') lines.push(`(${outcome.ending})`);
  return lines;
}

/** Prints a transcript; the inverse of {@link parseTranscript}. */
export function printTranscript(transcript: Transcript): string {
  const lines: string[] = transcript.preamble.map((text) => text.line);
  for (const section of transcript.sections) {
    lines.push(section.line);
    for (const item of section.items) {
      lines.push(item.line);
      if (item.kind !== 'step') continue;
      const two = item.recorded[2] && printOutcome(item.recorded[2]);
      const three = item.recorded[3] && printOutcome(item.recorded[3]);
      if (two) lines.push(...two);
      if (three && !two) lines.push(...(section.protocols.length === 1 ? [] : ['(resp3)']), ...three);
      else if (three && three.join('\n') !== two!.join('\n')) lines.push('(resp3)', ...three);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Replaces `${…}` in the text of an argument. */
export function expandVariables(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$\{([^}]*)\}/g, (whole, expression: string) => {
    const repeat = /^(.+)\*(\d+)$/s.exec(expression);
    if (repeat) return repeat[1]!.repeat(Number(repeat[2]));
    const clock = /^now(-ms)?([+-]\d+)?$/.exec(expression);
    if (clock) {
      const offset = Number(clock[2] ?? 0);
      return String((clock[1] ? Date.now() : Math.floor(Date.now() / 1000)) + offset);
    }
    const value = variables.get(expression);
    if (value === undefined) throw new NotationError(`nothing is known as ${whole}`);
    return value;
  });
}
