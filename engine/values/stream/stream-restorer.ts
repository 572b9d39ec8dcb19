/** Puts a stream together from the pieces that {@link StreamWalk} gives. */
import { readInt64 } from '../../numbers/int64.js';
import type { ValueRestorer } from '../big-value.js';
import type { Group } from './group.js';
import { validateNode } from './node.js';
import { Stream, type StreamHome } from './stream.js';
import { ID_BYTES, readId } from './stream-id.js';
import { Piece } from './stream-walk.js';

interface Parts {
  group: Group | undefined;
  /** What came before the group or the consumer that it belongs to. */
  readonly early: (() => void)[];
}

/** A restorer for a stream of `size` pieces. */
export function streamRestorer(home: StreamHome, size: number): ValueRestorer {
  const stream = new Stream(home);
  const parts: Parts[] = [];
  let header: Buffer | undefined;
  let missing = size;
  let live = 0;

  const numbered = (number: number): Parts => {
    if (number >= size) throw new Error(`group ${number} in a stream of ${size} pieces`);
    parts[number] ??= { group: undefined, early: [] };
    return parts[number];
  };
  const addConsumer = (group: Group, name: Buffer, bytes: Buffer): void => {
    group.addConsumer(name.latin1Slice(), bytes.readDoubleLE(8), stream.epoch, bytes.readUInt32LE(4));
  };
  const addPending = (group: Group, bytes: Buffer): void => {
    const consumer = group.numbered(bytes.readUInt32LE(0));
    if (consumer === undefined) throw new Error('a pending entry has no consumer');
    const time = bytes.readDoubleLE(4 + ID_BYTES);
    const count = bytes.readBigUInt64LE(4 + ID_BYTES + 8);
    group.addPending(consumer, readId(bytes, 4), time, count, stream.epoch);
  };
  const groupOf = (part: Parts): Group => {
    if (part.group === undefined) throw new Error('a group of a stream is missing');
    return part.group;
  };

  return {
    piece(at, first, second) {
      missing--;
      switch (at) {
        case Piece.header:
          header = Buffer.from(first);
          return;
        case Piece.node: {
          const node = validateNode(first, ID_BYTES, first.length - ID_BYTES, readId(first, 0));
          if (node === undefined) throw new Error('a node of a stream is damaged');
          live += node.live;
          stream.addNodeBytes(first);
          return;
        }
        case Piece.group: {
          const number = second.readUInt32LE(0);
          const entriesRead = readInt64(second, 4 + ID_BYTES);
          numbered(number).group = stream.addGroup(
            first.latin1Slice(),
            readId(second, 4),
            entriesRead,
            number,
          );
          return;
        }
        case Piece.consumer: {
          const part = numbered(second.readUInt32LE(0));
          if (part.group !== undefined) addConsumer(part.group, first, second);
          else {
            const kept = [Buffer.from(first), Buffer.from(second)] as const;
            // Before all pending entries that came early.
            part.early.unshift(() => addConsumer(groupOf(part), ...kept));
          }
          return;
        }
        case Piece.pending: {
          const part = numbered(second.readUInt32LE(0));
          if (part.group?.numbered(first.readUInt32LE(0)) !== undefined) addPending(part.group, first);
          else {
            const kept = Buffer.from(first);
            part.early.push(() => addPending(groupOf(part), kept));
          }
          return;
        }
        default:
          throw new Error(`a stream has no pieces of kind ${at}`);
      }
    },
    isComplete: () => missing === 0,
    finish() {
      if (missing !== 0 || header === undefined) throw new Error(`${missing} of ${size} pieces are missing`);
      stream.length = header.readDoubleLE(0);
      stream.lastId = readId(header, 8);
      stream.firstId = readId(header, 24);
      stream.maxDeletedId = readId(header, 40);
      stream.entriesAdded = readInt64(header, 56);
      stream.changedAt = header.readDoubleLE(64);
      if (live !== stream.length) throw new Error(`${live} entries where ${stream.length} should be`);
      for (const part of parts) {
        if (part === undefined) continue;
        groupOf(part);
        for (const step of part.early) step();
      }
      return stream;
    },
  };
}
