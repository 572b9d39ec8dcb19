/**
 * Decides whether a history is linearizable: the search of Wing and Gong (1993) with Lowe's memory of places
 * already seen (2017), the way Porcupine does it, over each set of keys that belong together.
 *
 * Where chance decides and the output is unknown, the search carries all states that are possible (the power
 * set construction). An operation of unknown outcome may be taken at any time after its invocation and never
 * has to be.
 */
import { describeOperation, isReadOnly, type Operation, partition } from './history.js';
import { emptyState, type State, stateName, step } from './model.js';

export type Verdict = 'linearizable' | 'not linearizable' | 'undecided';

export interface Judgement {
  readonly verdict: Verdict;
  /** Not linearizable: the part at fault, how far an order could be found, and what stood in the way. */
  readonly report: string | undefined;
  /** Steps that the search took. */
  readonly steps: number;
}

export interface CheckOptions {
  /** Steps for one part after which the search gives up. Default 2 million. */
  readonly stepsMax?: number;
}

/** More states than this at once are not followed: chance has hidden too much. */
const statesMax = 2000;

/** Judges a whole history, part by part. */
export function checkHistory(history: readonly Operation[], options: CheckOptions = {}): Judgement {
  let steps = 0;
  let undecided: Judgement | undefined;
  for (const part of partition(history)) {
    const judgement = checkPart(part, options.stepsMax ?? 2_000_000);
    steps += judgement.steps;
    if (judgement.verdict === 'not linearizable') return { ...judgement, steps };
    if (judgement.verdict === 'undecided') undecided = judgement;
  }
  return undecided === undefined
    ? { verdict: 'linearizable', report: undefined, steps }
    : { ...undecided, steps };
}

/** An invocation or a return in the doubly linked list of events that are left. */
interface Event {
  readonly id: number;
  /** Of an invocation whose outcome is known. */
  end: Event | undefined;
  readonly isCall: boolean;
  previous: Event | undefined;
  next: Event | undefined;
}

/** All states that are possible, and their common name. */
interface States {
  readonly all: readonly State[];
  readonly name: string;
}

function statesOf(all: readonly State[]): States {
  if (all.length === 1) return { all, name: stateName(all[0]!) };
  const byName = new Map(all.map((state) => [stateName(state), state]));
  const names = [...byName.keys()].sort();
  return { all: names.map((name) => byName.get(name)!), name: names.join('\n') };
}

function checkPart(part: readonly Operation[], stepsMax: number): Judgement {
  const operations = part.filter((operation) => operation.output !== undefined || !isReadOnly(operation));
  const head = linkEvents(operations);
  const places = new Map(operations.map((operation, place) => [operation, place]));
  const follows = operations.map((operation) =>
    operation.follows?.output === undefined ? undefined : places.get(operation.follows),
  );
  let left = operations.filter((operation) => operation.output !== undefined).length;
  const taken = new Uint16Array(Math.ceil(operations.length / 16));
  const isTaken = (id: number): boolean => (taken[id >>> 4]! & (1 << (id & 15))) !== 0;
  const seen = new Set<string>();
  const stack: { readonly event: Event; readonly states: States }[] = [];
  let states = statesOf([emptyState]);
  let steps = 0;
  let furthest: { readonly order: readonly number[]; readonly states: States } = { order: [], states };
  let event = head.next;
  while (left > 0) {
    if (event?.isCall) {
      const { id } = event;
      const operation = operations[id]!;
      const mustWait = follows[id] !== undefined && !isTaken(follows[id]);
      const after = mustWait ? undefined : statesAfter(states, operation);
      steps += 1 + states.all.length + (after?.all.length ?? 0);
      if (steps > stepsMax || (after?.all.length ?? 0) > statesMax) {
        return {
          verdict: 'undecided',
          report: `no verdict on ${operation.commands[0]![1]} after ${steps} steps, with ${after?.all.length} states possible`,
          steps,
        };
      }
      const isNews = after !== undefined && (operation.output !== undefined || after.name !== states.name);
      if (isNews) {
        taken[id >>> 4]! |= 1 << (id & 15);
        const place = `${String.fromCharCode(...taken)}${after.name}`;
        if (!seen.has(place)) {
          seen.add(place);
          stack.push({ event, states });
          states = after;
          if (operation.output !== undefined) left--;
          lift(event);
          if (stack.length > furthest.order.length) {
            furthest = { order: stack.map((one) => one.event.id), states };
          }
          event = head.next;
          continue;
        }
        taken[id >>> 4]! &= ~(1 << (id & 15));
      }
      event = event.next;
      continue;
    }
    // A return, or the end: what was to take effect before it could not. Back to the last choice.
    const back = stack.pop();
    if (back === undefined) {
      return {
        verdict: 'not linearizable',
        report: reportOf(operations, furthest.order, furthest.states),
        steps,
      };
    }
    const { id } = back.event;
    states = back.states;
    taken[id >>> 4]! &= ~(1 << (id & 15));
    if (operations[id]!.output !== undefined) left++;
    unlift(back.event);
    event = back.event.next;
  }
  return { verdict: 'linearizable', report: undefined, steps };
}

function statesAfter(states: States, operation: Operation): States | undefined {
  const after = states.all.flatMap((state) => step(state, operation));
  return after.length === 0 ? undefined : statesOf(after);
}

/** The events in order of time; of equal times the invocation comes first, so that the two are concurrent. */
function linkEvents(operations: readonly Operation[]): Event {
  const events: { readonly at: number; readonly event: Event }[] = [];
  operations.forEach((operation, id) => {
    const call: Event = { id, end: undefined, isCall: true, previous: undefined, next: undefined };
    events.push({ at: operation.invokedAt, event: call });
    if (operation.output === undefined) return;
    call.end = { id, end: undefined, isCall: false, previous: undefined, next: undefined };
    events.push({ at: operation.returnedAt, event: call.end });
  });
  events.sort((a, b) => a.at - b.at || Number(b.event.isCall) - Number(a.event.isCall));
  const head: Event = { id: -1, end: undefined, isCall: false, previous: undefined, next: undefined };
  let last = head;
  for (const { event } of events) {
    last.next = event;
    event.previous = last;
    last = event;
  }
  return head;
}

function lift(call: Event): void {
  for (const event of call.end === undefined ? [call] : [call, call.end]) {
    event.previous!.next = event.next;
    if (event.next !== undefined) event.next.previous = event.previous;
  }
}

function unlift(call: Event): void {
  for (const event of call.end === undefined ? [call] : [call.end, call]) {
    event.previous!.next = event;
    if (event.next !== undefined) event.next.previous = event;
  }
}

function reportOf(operations: readonly Operation[], order: readonly number[], states: States): string {
  const placed = new Set(order);
  const lines = ['the longest order that fits:'];
  for (const id of order.slice(-30)) lines.push(`  ${describeOperation(operations[id]!)}`);
  lines.push(
    `then the state is ${states.name.split('\n').slice(0, 3).join(' or ')}, and none of these fits:`,
  );
  const rest = operations.filter((_, id) => !placed.has(id));
  const deadline = Math.min(
    ...rest.map((one) => (one.output === undefined ? Number.POSITIVE_INFINITY : one.returnedAt)),
  );
  const candidates = rest.filter((one) => one.invokedAt <= deadline);
  for (const operation of candidates.slice(0, 20)) lines.push(`  ${describeOperation(operation)}`);
  return lines.join('\n');
}
