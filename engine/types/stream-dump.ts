/** DUMP's payload of a stream, in slices if need be: the stream as it was at the beginning. */
import { RdbType } from '../dump/rdb-types.js';
import { RdbWriter } from '../dump/rdb-writer.js';
import type { GradualReply } from '../protocol/gradual-reply.js';
import type { Group } from '../values/stream/group.js';
import { ID_OFFSET, type IdOrder, OrderPosition } from '../values/stream/id-order.js';
import type { NodesWalk } from '../values/stream/nodes-walk.js';
import type { Stream } from '../values/stream/stream.js';
import { ID_BYTES } from '../values/stream/stream-id.js';

/** What a node takes at most besides its block: lengths, and what room compression needs to try. */
const NODE_EXTRA_BYTES = 64;
const FOOTER_BYTES = 10;
/** What a group or a consumer takes, about. */
const GROUP_BYTES = 64;
/** What a pending entry takes at most, in its group's list and in its consumer's. */
const PENDING_BYTES = 16 + 8 + 9 + 16;
const REST_STEP_BYTES = 1 << 16;

export class StreamDump implements GradualReply {
  private readonly writer: RdbWriter;
  private readonly walk: NodesWalk;
  /** All that stands behind the nodes: in one go, groups and what is pending included. */
  private readonly rest: Buffer;
  private restAt = 0;
  private hasNodes = false;

  constructor(stream: Stream) {
    this.rest = restOf(stream);
    const { size, blockBytes } = stream.nodes;
    // Its final room at once: to grow would copy all of it.
    const expected = blockBytes + (size + 1) * NODE_EXTRA_BYTES + this.rest.length + FOOTER_BYTES;
    const writer = new RdbWriter(RdbType.streamListpacks2, expected).length(size);
    this.walk = stream.walkNodes((buffer, idAt, start, end) => {
      writer.bytes(buffer, idAt, ID_BYTES).bytes(buffer, start, end - start);
      writer.check();
    });
    this.writer = writer;
  }

  /** The payload once it is there. Throws when it is beyond all limits. */
  step(goOn: () => boolean): Buffer | undefined {
    try {
      if (!this.hasNodes && !this.walk.step(goOn)) return undefined;
      this.hasNodes = true;
      while (this.restAt < this.rest.length) {
        const length = Math.min(REST_STEP_BYTES, this.rest.length - this.restAt);
        this.writer.rawPart(this.rest, this.restAt, length).check();
        this.restAt += length;
        if (!goOn()) return undefined;
      }
      return this.writer.finish();
    } catch (error) {
      this.walk.stop();
      throw error;
    }
  }

  stop(): void {
    this.walk.stop();
  }
}

function restOf(stream: Stream): Buffer {
  let expected = 256;
  for (const { pending, consumers } of stream.groups.values())
    expected += GROUP_BYTES * (1 + consumers.size) + PENDING_BYTES * pending.size;
  const writer = new RdbWriter(undefined, expected).length(stream.length);
  for (const id of [stream.lastId, stream.firstId, stream.maxDeletedId]) writer.length(id.ms).length(id.seq);
  writer.length(stream.entriesAdded).length(stream.groups.size);
  for (const group of stream.groups.values()) writeGroup(writer, stream, group);
  return writer.written;
}

function writeGroup(writer: RdbWriter, { slab }: Stream, group: Group): void {
  writer.element(group.name).length(group.lastId.ms).length(group.lastId.seq);
  writer.length(BigInt.asUintN(64, BigInt(group.entriesRead)));
  const writeId = (address: number): void => {
    const at = slab.offset(address) + ID_OFFSET;
    writer.rawPart(slab.buffer(address), at, ID_BYTES);
  };
  writer.length(group.pending.size);
  each(group.pending, (address) => {
    writeId(address);
    writer.milliseconds(group.timeOf(address)).length(group.countOf(address));
  });
  writer.length(group.consumers.size);
  for (const consumer of group.consumers.values()) {
    writer.element(consumer.name).milliseconds(consumer.seenMs).length(consumer.pending.size);
    each(consumer.pending, writeId);
  }
}

function each(order: IdOrder, visit: (address: number) => void): void {
  const place = new OrderPosition();
  for (let more = order.toFirst(place); more; more = order.next(place)) visit(order.at(place));
}
