/**
 * Messages between cores as bytes: a CBOR array, then the payloads of all entries as they are.
 *
 *   u32 length of the CBOR part (little endian), CBOR [message, ...], payloads
 *
 * A message is an array of its type's number and its fields in the order of the table below; from and to are
 * those of the connection. Everything that arrives is checked for its shape: what decodes here is a message.
 */
// Not 'cbor-x' itself, which loads a native addon that speeds up text: here all is bytes and numbers.
import { Decoder, Encoder } from 'cbor-x/encode';
import {
  type Entry,
  EntryKind,
  type Message,
  type MessageType,
  type NodeId,
  type SnapshotMessage,
} from '../../index.js';
import { isMembership } from '../directory/identity.js';

/** Types in the order of their numbers, each with its fields besides term. New ones are added at the end. */
const layouts: readonly (readonly [
  type: MessageType,
  ...fields: (readonly [name: string, kind: 'count' | 'flag'])[],
])[] = [
  ['preVote', ['lastIndex', 'count'], ['lastTerm', 'count']],
  ['preVoteResponse', ['granted', 'flag']],
  ['vote', ['lastIndex', 'count'], ['lastTerm', 'count'], ['transfer', 'flag']],
  ['voteResponse', ['granted', 'flag']],
  [
    'append',
    ['round', 'count'],
    ['sentTick', 'count'],
    ['previousIndex', 'count'],
    ['previousTerm', 'count'],
    ['commit', 'count'],
  ],
  [
    'appendResponse',
    ['round', 'count'],
    ['sentTick', 'count'],
    ['index', 'count'],
    ['rejected', 'flag'],
    ['hintIndex', 'count'],
    ['hintTerm', 'count'],
  ],
  ['heartbeat', ['round', 'count'], ['sentTick', 'count'], ['commit', 'count']],
  ['heartbeatResponse', ['round', 'count'], ['sentTick', 'count']],
  ['commit', ['commit', 'count']],
  ['snapshot', ['round', 'count'], ['sentTick', 'count']],
  ['timeoutNow', ['round', 'count']],
  ['readIndex', ['context', 'count']],
  ['readIndexResponse', ['context', 'count'], ['index', 'count']],
];

const numbers = new Map(layouts.map(([type], number) => [type, number]));
const encoder = new Encoder({ useRecords: false, tagUint8Array: false });
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });

/** Payloads from this length on are sent from where they lie. */
const copyBelowBytes = 8 * 1024;

/** A message that is none: the connection it came from is to be closed. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

/** Any value that CBOR can carry, for what is not a message. */
export function encodeValue(value: unknown): Uint8Array {
  return Uint8Array.from(encoder.encode(value));
}

/** @throws MalformedMessage */
export function decodeValue(bytes: Uint8Array): unknown {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new MalformedMessage((error as Error).message);
  }
}

/** The pieces of one frame's body. */
export function encodeMessages(messages: readonly Message[]): Uint8Array[] {
  const values: unknown[] = [];
  const payloads: Uint8Array[] = [];
  let payloadBytes = 0;
  for (const message of messages) {
    const value = fieldsOf(message);
    if (message.type === 'append') {
      const shapes: number[] = [];
      for (const { term, kind, payload } of message.entries) {
        shapes.push(term, kind, payload.length);
        payloads.push(payload);
        payloadBytes += payload.length;
      }
      value.push(shapes);
    } else if (message.type === 'snapshot') {
      const { index, term, membership } = message.snapshot;
      value.push({ index, term, membership });
    }
    values.push(value);
  }
  const cbor = encoder.encode(values);
  const head = Buffer.allocUnsafe(4 + cbor.length + (payloadBytes < copyBelowBytes ? payloadBytes : 0));
  head.writeUInt32LE(cbor.length, 0);
  head.set(cbor, 4);
  if (payloadBytes >= copyBelowBytes) return [head, ...gather(payloads)];
  let at = 4 + cbor.length;
  for (const payload of payloads) {
    head.set(payload, at);
    at += payload.length;
  }
  return [head];
}

function fieldsOf(message: Message): unknown[] {
  const number = numbers.get(message.type)!;
  const value: unknown[] = [number, message.term];
  const fields = message as unknown as Record<string, unknown>;
  const layout = layouts[number]!;
  for (let i = 1; i < layout.length; i++) value.push(fields[(layout[i] as readonly [string, string])[0]]);
  return value;
}

/** Joins neighbouring small payloads, so that a frame is few pieces. */
function gather(payloads: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (let i = 0; i <= payloads.length; i++) {
    const isLarge = i < payloads.length && payloads[i]!.length >= copyBelowBytes;
    if (i < payloads.length && !isLarge) continue;
    if (i > from) pieces.push(Buffer.concat(payloads.slice(from, i)));
    if (isLarge) pieces.push(payloads[i]!);
    from = i + 1;
  }
  return pieces;
}

/**
 * The messages in a frame's body, which the result keeps views of.
 *
 * @throws MalformedMessage
 */
export function decodeMessages(body: Uint8Array, from: NodeId, to: NodeId): Message[] {
  if (body.length < 4) throw new MalformedMessage('a frame that is too short');
  const cborEnd = 4 + new DataView(body.buffer, body.byteOffset, 4).getUint32(0, true);
  if (cborEnd > body.length) throw new MalformedMessage('a frame that is too short');
  const values = decodeValue(body.subarray(4, cborEnd));
  if (!Array.isArray(values)) throw new MalformedMessage('a frame without messages');
  const messages: Message[] = [];
  let at = cborEnd;
  for (const value of values) {
    const fields = decodeFields(value);
    if (fields.type === 'append') {
      const entries = decodeEntries(value, fields.previousIndex as number, body, at);
      for (const { payload } of entries) at += payload.length;
      messages.push({ ...fields, from, to, entries } as unknown as Message);
    } else if (fields.type === 'snapshot') {
      messages.push({
        ...fields,
        from,
        to,
        snapshot: decodeSnapshot(value.at(-1)),
      } as unknown as SnapshotMessage);
    } else {
      messages.push({ ...fields, from, to } as unknown as Message);
    }
  }
  if (at !== body.length) throw new MalformedMessage(`${body.length - at} bytes too many in a frame`);
  return messages;
}

function decodeFields(value: unknown): Record<string, unknown> {
  if (!Array.isArray(value)) throw new MalformedMessage('a message that is not an array');
  const layout = layouts[value[0] as number];
  if (layout === undefined) throw new MalformedMessage(`a message of the unknown type ${String(value[0])}`);
  const [type] = layout;
  const extra = type === 'append' || type === 'snapshot' ? 1 : 0;
  if (value.length !== layout.length + 1 + extra || !isCount(value[1])) {
    throw new MalformedMessage(`a malformed ${type} message`);
  }
  const fields: Record<string, unknown> = { type, term: value[1] };
  for (let i = 1; i < layout.length; i++) {
    const [name, kind] = layout[i] as readonly [string, string];
    const field: unknown = value[i + 1];
    if (kind === 'flag' ? typeof field !== 'boolean' : !isCount(field)) {
      throw new MalformedMessage(`a malformed ${name} in a ${type} message`);
    }
    fields[name] = field;
  }
  return fields;
}

function decodeEntries(value: unknown[], previousIndex: number, body: Uint8Array, at: number): Entry[] {
  const shapes = value.at(-1);
  if (!Array.isArray(shapes) || shapes.length % 3 !== 0) throw new MalformedMessage('malformed entries');
  const entries: Entry[] = [];
  for (let i = 0; i < shapes.length; i += 3) {
    const term: unknown = shapes[i];
    const kind: unknown = shapes[i + 1];
    const length: unknown = shapes[i + 2];
    const isKind = kind === EntryKind.command || kind === EntryKind.membership || kind === EntryKind.noop;
    if (!isCount(term) || !isKind || !isCount(length) || at + length > body.length) {
      throw new MalformedMessage('a malformed entry');
    }
    entries.push({ index: previousIndex + 1 + i / 3, term, kind, payload: body.subarray(at, at + length) });
    at += length;
  }
  return entries;
}

function decodeSnapshot(value: unknown): SnapshotMessage['snapshot'] {
  const { index, term, membership } = (value ?? {}) as Record<string, unknown>;
  if (!isCount(index) || !isCount(term) || !isMembership(membership)) {
    throw new MalformedMessage('malformed snapshot metadata');
  }
  return { index, term, membership };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
