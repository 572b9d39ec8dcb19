/**
 * Matchers say in what sense a reply must equal the recorded one, where equality byte by byte would ask for
 * too much. They stand in brackets before the `>` of a command, separated by `;`, so that recording again
 * keeps them.
 *
 *     unordered         the elements (or a map's entries) in any order          unordered-pairs   a flat array of pairs in any order
 *     unordered-at N    the same for element N of the reply (SCAN's second)     unordered-pairs-at N
 *     ~regexp           the reply's text matches                                within N          every number differs by at most N
 *     one-of a b c      the text is one of these (or nothing)                   subset-of a b c   every element is one of these
 *     shape             the same types and counts                               any               any reply
 */
import { splitArguments } from './notation.js';
import { equalReplies, itemsOf, type Reply, textOf } from './reply.js';

/** One way to compare a reply with the recorded one. */
export interface Matcher {
  /** What to record: the reply itself, or with its order made canonical. */
  canonical(reply: Reply): Reply;
  matches(recorded: Reply, actual: Reply): boolean;
}

const exact: Matcher = { canonical: (reply) => reply, matches: equalReplies };

function sortKey(reply: Reply): string {
  return JSON.stringify(reply);
}

/** Code-unit order: the same on every machine. */
function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The reply with its elements (in pairs, if told so) or entries sorted. */
export function sorted(reply: Reply, pairs = false): Reply {
  if ('entries' in reply) {
    return { ...reply, entries: [...reply.entries].sort((a, b) => byText(sortKey(a[0]), sortKey(b[0]))) };
  }
  if (!('items' in reply)) return reply;
  if (!pairs) return { ...reply, items: [...reply.items].sort((a, b) => byText(sortKey(a), sortKey(b))) };
  const list: Reply[][] = [];
  for (let index = 0; index < reply.items.length; index += 2) list.push(reply.items.slice(index, index + 2));
  return { ...reply, items: list.sort((a, b) => byText(sortKey(a[0]!), sortKey(b[0]!))).flat() };
}

function unordered(pairs: boolean, at?: number): Matcher {
  const canonical = (reply: Reply): Reply => {
    if (at === undefined) return sorted(reply, pairs);
    if (!('items' in reply)) return reply;
    return { ...reply, items: reply.items.map((item, index) => (index === at ? sorted(item, pairs) : item)) };
  };
  return { canonical, matches: (recorded, actual) => equalReplies(canonical(recorded), canonical(actual)) };
}

function sameShape(a: Reply, b: Reply): boolean {
  if (a.type !== b.type || (a.type === 'null' && b.type === 'null' && a.form !== b.form)) return false;
  const left = itemsOf(a);
  const right = itemsOf(b);
  return left.length === right.length && left.every((item, index) => sameShape(item, right[index]!));
}

/** Whether two replies are equal but for numbers that differ by at most `tolerance`. */
export function within(tolerance: number, a: Reply, b: Reply): boolean {
  if (equalReplies(a, b)) return true;
  if (a.type !== b.type) return false;
  const left = textOf(a);
  const right = textOf(b);
  if (left !== undefined && right !== undefined) {
    const number = /^-?\d+(\.\d+)?(e[-+]?\d+)?$/;
    return (
      number.test(left) && number.test(right) && Math.abs(Number(left) - Number(right)) <= Number(tolerance)
    );
  }
  const items = itemsOf(a);
  const others = itemsOf(b);
  return (
    items.length > 0 &&
    items.length === others.length &&
    items.every((item, index) => within(tolerance, item, others[index]!))
  );
}

function fullText(reply: Reply): string {
  return textOf(reply) ?? itemsOf(reply).map(fullText).join('\n');
}

/**
 * The matcher that a directive names.
 * @throws Error for a directive that is none, with what is allowed
 */
export function parseMatcher(directive: string): Matcher {
  if (directive.startsWith('~')) {
    const pattern = new RegExp(directive.slice(1).trim(), 's');
    return {
      ...exact,
      matches: (recorded, actual) => recorded.type === actual.type && pattern.test(fullText(actual)),
    };
  }
  const [name = '', ...words] = splitArguments(directive);
  switch (name) {
    case 'unordered':
      return unordered(false);
    case 'unordered-pairs':
      return unordered(true);
    case 'unordered-at':
      return unordered(false, Number(words[0]));
    case 'unordered-pairs-at':
      return unordered(true, Number(words[0]));
    case 'within': {
      const tolerance = Number(words[0]);
      if (words.length !== 1 || !(tolerance >= 0)) throw new Error(`within takes a number: [${directive}]`);
      return { ...exact, matches: (recorded, actual) => within(tolerance, recorded, actual) };
    }
    case 'shape':
      return { ...exact, matches: sameShape };
    case 'any':
      return { ...exact, matches: () => true };
    case 'one-of':
      return {
        ...exact,
        matches: (recorded, actual) =>
          recorded.type === actual.type && (actual.type === 'null' || words.includes(textOf(actual) ?? '')),
      };
    case 'subset-of':
      return {
        ...exact,
        matches: (recorded, actual) =>
          sameShape(recorded, actual) && itemsOf(actual).every((item) => words.includes(textOf(item) ?? '')),
      };
    default:
      throw new Error(
        `unknown directive [${directive}]: allowed are unordered, unordered-pairs, unordered-at N, unordered-pairs-at N, ~regexp, ` +
          'within N, one-of WORDS, subset-of WORDS, shape, any, blocks, still, closes, raw, checksum, no-reply, times N, replies N, as NAME',
      );
  }
}

/** Equality byte by byte. */
export const exactMatcher = exact;
